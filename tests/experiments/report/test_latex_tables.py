"""Tables as LaTeX: what a paper's source can hold, whatever the names are."""

import re

from written_runs import write_sweep

from nerfloss.cli.main import main
from nerfloss.experiments.report.latex import as_latex, latex
from nerfloss.experiments.report.table import Table


def test_a_table_has_the_three_rules_of_booktabs_and_a_column_for_each() -> None:
    table = Table(("run", "psnr"), (("a", 30.0), ("b", -1.5)), strong=frozenset({(0, 1)}))
    lines = as_latex(table).splitlines()
    assert lines[1:] == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"run & psnr \\",
        r"\midrule",
        r"a & \textbf{30} \\",
        r"b & $-$1.5 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_nothing_in_a_name_is_a_command() -> None:
    assert latex("a_b & 5% of {c} #1 $x$ ~^\\") == (
        r"a\_b \& 5\% of \{c\} \#1 \$x\$ \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


def test_minus_signs_belong_to_numbers_and_dashes_to_names() -> None:
    assert latex("-0.5 to -0.1") == "$-$0.5 to $-$0.1"
    assert latex("mip-nerf 3.9e-05, 2026-11-22") == "mip-nerf 3.9e-05, 2026-11-22"


def test_title_and_remarks_are_comments_on_one_line() -> None:
    said = as_latex(Table(("a",), ((1.0,),), title="50 %\nof it", notes=("a\nremark",)))
    assert said.splitlines()[0] == "% 50 % of it"
    assert said.splitlines()[-1] == "% a remark"


def test_a_table_without_rows_is_its_remarks() -> None:
    assert as_latex(Table(("a",), (), title="T", notes=("nothing",))) == "% T\n% nothing\n"


def test_report_and_compare_write_latex_of_plain_letters(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": [30.0, 30.7, 31.4], "0.1": [31.0, 31.8, 32.4]})
    for verb in ("report", "compare"):
        assert main([verb, str(tmp_path), "-f", "latex"]) == 0
        said = capsys.readouterr().out
        body = [line for line in said.splitlines() if not line.startswith("%")]
        assert said.count(r"\begin{tabular}") == said.count(r"\end{tabular}") >= 2
        assert "\n".join(body).isascii()
        for line in body:
            assert not re.search(r"(?<!\\)_", line), line
