"""Completion scripts for shells: the words are written into the script, so that Tab is instant."""

from nerfloss.assembly.config_groups import config_groups

FLAGS = ("--help", "--version", "--traceback", "--cfg", "-m")
# Words that complete the first argument of other commands.
SHELLS = ("bash", "zsh", "fish")


def completion_script(shell: str) -> str:
    """Return the completion script of bash, zsh or fish, for this installation's conf/."""
    commands = " ".join(_commands())
    overrides = " ".join(_overrides())
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands, overrides)


def _commands() -> list[str]:
    from nerfloss.cli.main import COMMANDS

    return [name for group in COMMANDS.values() for name in group]


def _overrides() -> list[str]:
    """Return group=choice for all groups, and the settings of the default configuration."""
    from nerfloss.assembly.composition import compose_config
    from nerfloss.assembly.renamed_settings import dotted_keys

    chosen = [
        f"{group}={choice}"
        for group, choices in config_groups().items()
        for choice in choices
        if group != "loss/term"
    ]
    terms = [
        f"+loss/term@loss.terms.{name}={name}" for name in config_groups().get("loss/term", ())
    ]
    settings = [f"{key}=" for key in dotted_keys(compose_config("train", []))]
    return [*chosen, *terms, *(key for key in settings if "._" not in key)]


def _bash(commands: str, overrides: str) -> str:
    return f"""\
# nerfloss completion bash
_nerfloss() {{
  local current="${{COMP_LINE:0:COMP_POINT}}" word words
  word="${{current##* }}"
  case "$COMP_LINE" in
    "nerfloss train "*|"nerfloss eval "*|"nerfloss gradcheck "*|"nerfloss schedules "*)
      words="{overrides} {" ".join(FLAGS)}" ;;
    "nerfloss completion "*) words="{" ".join(SHELLS)}" ;;
    "nerfloss "*" "*) compopt -o default; return ;;
    *) words="{commands} --help --version" ;;
  esac
  compopt -o nospace 2>/dev/null
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  # Readline splits words at '=': what it has kept already is not inserted again.
  if [[ "$word" == *=* && "$COMP_WORDBREAKS" == *=* ]]; then
    COMPREPLY=("${{COMPREPLY[@]#"${{word%"${{word##*=}}"}}"}}")
  fi
}}
complete -F _nerfloss nerfloss
"""


def _zsh(commands: str, overrides: str) -> str:
    return f"""\
# nerfloss completion zsh
_nerfloss() {{
  if (( CURRENT == 2 )); then
    compadd -- {commands} --help --version
    return
  fi
  case "$words[2]" in
    train|eval|gradcheck|schedules) compadd -S '' -- {overrides} {" ".join(FLAGS)} ;;
    completion) compadd -- {" ".join(SHELLS)} ;;
    *) _files ;;
  esac
}}
compdef _nerfloss nerfloss
"""


def _fish(commands: str, overrides: str) -> str:
    composed = "__fish_seen_subcommand_from train eval gradcheck schedules"
    return f"""\
# nerfloss completion fish
complete -c nerfloss -f -n __fish_use_subcommand -a "{commands} --help --version"
complete -c nerfloss -f -n "{composed}" -a "{overrides} {" ".join(FLAGS)}"
complete -c nerfloss -f -n "__fish_seen_subcommand_from completion" -a "{" ".join(SHELLS)}"
"""
