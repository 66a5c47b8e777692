"""Discovery: good plugins show, broken ones are named, clashes are refused."""

from __future__ import annotations

import pytest

from tests.conftest import DEMO, DEMO_YAML


@pytest.mark.usefixtures("demo")
def test_an_installed_plugin_is_listed_with_its_origin(prefrun):
    done = prefrun("plugins")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("demo "))
    assert line.split() == ["demo", "algo", "1.2.3", "prefrun-demo", "prefrun_demo.algo:Demo"]


@pytest.mark.usefixtures("demo")
def test_a_broken_plugin_is_named_and_the_others_work(prefrun, make_plugin):
    make_plugin("bad", "raise RuntimeError('out of cheese')")
    done = prefrun("plugins")
    assert done.returncode == 0
    assert "broken: bad (prefrun-bad 1.2.3" in done.stdout
    assert "RuntimeError: out of cheese" in done.stdout
    assert "PREFRUN_BLOCK=bad" in done.stdout
    assert "algo=demo" in prefrun("--help").stdout or "demo" in prefrun("--help").stdout
    assert prefrun("algo=demo", "--cfg", "job").returncode == 0


@pytest.mark.usefixtures("demo")
def test_a_blocked_plugin_is_not_loaded(prefrun, make_plugin):
    make_plugin("bad", "raise RuntimeError('out of cheese')")
    assert "cheese" not in prefrun("plugins", PREFRUN_BLOCK="bad").stdout


def test_a_misspelt_hook_is_reported_with_the_right_name(prefrun, make_plugin):
    make_plugin("typo", DEMO.replace("def prefrun_components", "def prefrun_componentz"))
    assert "Did you mean 'prefrun_components'?" in prefrun("plugins").stdout


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        (None, "algo=demo has no file algo/demo.yaml in the conf/ folder of prefrun-demo"),
        (DEMO_YAML.replace("beta", "betta"), "algo/demo.yaml: Key 'betta' not in 'DemoConfig'."),
        (DEMO_YAML.replace("beta", "betta"), "Did you mean 'beta'? Keys: beta"),
        (DEMO_YAML.replace("0.3", "big"), "algo/demo.yaml: algo.beta: Value 'big'"),
        (f"{DEMO_YAML}  gamma: [", 'conf/algo/demo.yaml", line 5'),
    ],
)
def test_a_plugins_wrong_file_is_named(prefrun, make_plugin, yaml, expected):
    make_plugin("demo", DEMO, {"algo/demo.yaml": yaml} if yaml else {"algo/other.yaml": DEMO_YAML})
    done = prefrun("algo=demo", "--cfg", "job")
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_choice_that_is_not_there_may_be_of_a_broken_plugin(prefrun, make_plugin):
    make_plugin("bad", "prefrun_api = 1\ndef (")
    assert "not loaded: bad; `prefrun plugins` says why" in prefrun("algo=bad").stderr
    assert "invalid syntax (__init__.py, line 2)" in prefrun("plugins").stdout


@pytest.mark.usefixtures("demo")
def test_two_plugins_with_one_name_are_both_named(prefrun, make_plugin):
    make_plugin("twin", DEMO.replace("prefrun_demo", "prefrun_twin"), {"algo/demo.yaml": DEMO_YAML})
    done = prefrun("algo=demo")
    assert done.returncode == 2
    assert "algo=demo is claimed twice" in done.stderr
    assert "prefrun-demo 1.2.3" in done.stderr
    assert "prefrun-twin 1.2.3" in done.stderr
    assert "PREFRUN_BLOCK=" in done.stderr
    assert prefrun("plugins", PREFRUN_BLOCK="twin").returncode == 0


@pytest.mark.usefixtures("demo")
def test_two_plugins_with_one_config_file_are_both_named(prefrun, make_plugin):
    code = DEMO.replace("prefrun_demo", "prefrun_twin").replace('"demo", Demo', '"twin", Demo')
    make_plugin("twin", code, {"algo/demo.yaml": DEMO_YAML})
    done = prefrun("algo=demo", "--cfg", "job")
    assert done.returncode == 2
    assert "algo/demo.yaml is shipped twice: by prefrun-demo 1.2.3" in done.stderr
    assert "PREFRUN_BLOCK=" in done.stderr


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (DEMO.replace('"algo", "demo"', '"alg", "demo"'), "unknown group 'alg'"),
        (DEMO.replace("return [Component(", "return [Componentt("), "NameError"),
        (DEMO.replace("def prefrun_components():", "def prefrun_components(extra):"), "extra"),
    ],
)
@pytest.mark.usefixtures("demo")
def test_a_plugin_that_cannot_list_its_components_is_broken(prefrun, make_plugin, code, reason):
    make_plugin("odd", code)
    done = prefrun("plugins")
    assert done.returncode == 0
    assert "broken: odd" in done.stdout
    assert reason in done.stdout
    assert "prefrun_demo.algo:Demo" in done.stdout
