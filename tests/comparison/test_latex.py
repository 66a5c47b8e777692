"""comparison.tex: a tabular for each table, nothing in it that LaTeX would trip over."""

from __future__ import annotations

import re

from prefrun.comparison.compare import compare
from prefrun.comparison.latex import to_latex


def text_of(result):
    runs = [
        result({"win_rate": value, "kl": 1.0}, seed=seed, model__name=name, cost={"seconds": 5.0})
        for name, values in [("100%_{a}$b&c\\d#~^", (0.7, 0.8)), ("<plain>", (0.6, 0.65))]
        for seed, value in enumerate(values)
    ]
    return to_latex(compare(runs))


def test_special_characters_are_escaped(result):
    text = text_of(result)
    assert (
        r"model.name=100\%\_\{a\}\$b\&c\textbackslash{}d\#\textasciitilde{}\textasciicircum{}"
        in text
    )
    assert r"model.name=$<$plain$>$" in text
    assert r"\textbf{0.750 $\pm$ 0.050}" in text
    assert r"win\_rate $\uparrow$" in text


def test_every_row_has_the_columns_of_its_tabular(result):
    text = text_of(result)
    tabulars = re.findall(r"\\begin\{tabular\}\{(l?r*)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(tabulars) == 3  # values, tests, costs
    for columns, body in tabulars:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(rows) >= 2
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1


def test_braces_are_balanced(result):
    bare = re.sub(r"\\[{}]", "", text_of(result))
    assert bare.count("{") == bare.count("}")
