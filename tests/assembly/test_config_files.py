"""YAML that no settings have: deep, endless, broken: a message with the file and the line."""

import pytest

from nerfloss.assembly.config_files import parse_yaml

REPEATED = "z0: &z0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"z{i}: &z{i} [{', '.join([f'*z{i - 1}'] * 9)}]\n" for i in range(1, 9)
)
UNUSABLE = {
    "itself": ("a: &a\n  b: *a\n", r"an alias \(\*name\) contains itself"),
    "repeated": (REPEATED, r"more than 200000 values, of which aliases"),
    "deep": ("a: " + "{a: " * 200 + "1" + "}" * 200, "nested more than 64 deep"),
    "deeper": ("a: " + "[" * 5000 + "]" * 5000, ""),
    "deep lines": ("".join(" " * i + "a:\n" for i in range(900)), "nested more than 64 deep"),
    "null key": ("a: 1\nb: {null: 2}", "a key is null"),
    "twice": ("a: 1\na: 2\n", "line 2: found duplicate key a"),
    "tab": ("a: 1\n\tb: 2\n", "line 2: "),
    "unhashable": ("? [1, 2]\n: 3\n", "line 1: found unhashable key"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_yaml_is_refused_with_its_file_and_fault(kind: str) -> None:
    text, fault = UNUSABLE[kind]
    with pytest.raises(ValueError, match=rf"a/b\.yaml cannot be read as YAML: .*{fault}"):
        parse_yaml(text, "a/b.yaml")


def test_aliases_of_usual_files_are_followed() -> None:
    found = parse_yaml("a: &a {x: 1}\nb: [*a, *a]\nc: {<<: *a, y: 2}\n", "a.yaml")
    assert found == {"a": {"x": 1}, "b": [{"x": 1}] * 2, "c": {"x": 1, "y": 2}}
