"""Tables as LaTeX: booktabs rules, right-aligned numbers, notes as comments."""

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
    r"""Return the table as a ``tabular``; needs ``\usepackage{booktabs}``."""
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
    """Return text with special characters escaped and minus signs before numbers in math mode."""
    escaped = "".join(_SPECIAL.get(letter, letter) for letter in text)
    return re.sub(r"(?<![\w.])-(?=\d)", "$-$", escaped)


def _with_gaps(table: Table, texts: list[list[str]]) -> list[str]:
    """Return the rows, with extra space between groups of equal first cells."""
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
