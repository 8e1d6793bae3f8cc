"""A table as LaTeX, for papers: booktabs rules, numbers to the right, remarks below."""

import re

from nerfloss.experiments.report.table import Cell, Table, as_text, numeric_columns

_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "°": r"$^\circ$",
    "µ": r"$\mu$",
}


def as_latex(table: Table) -> str:
    r"""The table as a ``tabular``, to be put inside ``table``; takes ``\usepackage{booktabs}``."""
    texts = [[latex(as_text(cell)) for cell in row] for row in table.rows]
    for row, column in table.strong:
        texts[row][column] = rf"\textbf{{{texts[row][column]}}}"
    aligned = "".join("r" if right else "l" for right in numeric_columns(table))
    lines = [
        *([f"% {' '.join(table.title.split())}"] if table.title else []),
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        _row([latex(column) for column in table.columns]),
        r"\midrule",
        *_with_gaps(table, texts),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    notes = [f"% {' '.join(note.split())}" for note in table.notes]
    return "\n".join([*(lines if table.rows else lines[:1]), *notes]) + "\n"


def latex(text: str) -> str:
    """Text in which nothing is a command; minus signs before numbers are set as such."""
    escaped = "".join(_SPECIAL.get(letter, letter) for letter in text)
    return re.sub(r"(?<![\w.])-(?=\d)", "$-$", escaped)


def _with_gaps(table: Table, texts: list[list[str]]) -> list[str]:
    """The rows, with some space where the first column goes on to something else many rows long."""
    first: list[Cell] = [row[0] for row in table.rows]
    grouped = len(set(first)) * 2 <= len(first)
    lines: list[str] = []
    for index, cells in enumerate(texts):
        if grouped and index and first[index] != first[index - 1]:
            lines.append(r"\addlinespace")
        lines.append(_row(cells))
    return lines


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
