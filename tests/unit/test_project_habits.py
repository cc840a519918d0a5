"""Files that say the same thing in two places: Makefile, workflow, pre-commit, pyproject, constraints, changelog."""

import re
import subprocess
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import embedded_vhost

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def supported_pythons() -> list[str]:
    mark = "Programming Language :: Python :: "
    return [line.removeprefix(mark) for line in PROJECT["classifiers"] if line.startswith(mark)]


def workflow() -> dict[str, Any]:
    content = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    content["on"] = content.pop(True)  # YAML 1.1, which PyYAML reads, takes the word for a truth value
    return dict(content)


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_workflow_runs_on_push_on_pull_request_and_weekly() -> None:
    events = workflow()["on"]
    assert {"push", "pull_request"} <= set(events)
    (schedule,) = events["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule["cron"])


@pytest.mark.parametrize("job", workflow()["jobs"])
def test_workflow_calls_only_targets_that_the_makefile_has(job: str) -> None:
    called = re.findall(r"\bmake ([a-z-]+)(?= |$)", "\n".join(commands(workflow()["jobs"][job])), re.MULTILINE)
    assert called
    assert set(called) <= MAKE_TARGETS


def test_workflow_checks_every_supported_python() -> None:
    checks = workflow()["jobs"]["checks"]
    assert checks["strategy"]["matrix"]["python"] == supported_pythons()
    assert commands(checks) == ["make lint", "make unit", "make contract"]
    assert PROJECT["requires-python"] == f">={supported_pythons()[0]}"


def test_workflow_keeps_the_results_of_a_failed_run() -> None:
    for name, job in workflow()["jobs"].items():
        keeps = [step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact@")]
        if name != "checks":
            assert [step["with"]["path"] for step in keeps if step.get("if") == "always()"] == ["results/"]


def test_pre_commit_has_the_commands_of_make_lint() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "lint", "VENV=.venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    linters = [line for line in said.stdout.splitlines() if line.startswith(".venv/bin/")]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert [hook["entry"] for hook in hooks] == linters
    assert not any(hook["pass_filenames"] for hook in hooks)


def test_makefile_declares_its_targets_phony() -> None:
    declared = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert declared
    assert set(declared[1].replace("\\\n", " ").split()) >= MAKE_TARGETS


def test_every_dependency_is_pinned_to_a_version_that_the_project_allows() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {re.sub(r"[-_.]+", "-", name).lower(): pin for name, pin in pins.items()}
    wanted = [Requirement(line) for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]]
    names = [re.sub(r"[-_.]+", "-", one.name).lower() for one in wanted]
    assert [name for name in names if name not in pinned] == []
    refused = [name for name, one in zip(names, wanted, strict=True) if not one.specifier.contains(pinned[name])]
    assert refused == [], "make constraints"


def test_embedded_vhost_has_the_version_of_the_project() -> None:
    assert Version(PROJECT["version"]).base_version == embedded_vhost.VERSION


def test_changelog_has_the_version_and_its_newest_first() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    now = Version(PROJECT["version"])
    released = [re.fullmatch(r"\[(\S+)\] - (\S+)", heading) for heading in headings if heading != "[Unreleased]"]
    assert all(released), headings
    versions = [(Version(each[1]), date.fromisoformat(each[2])) for each in released if each]
    assert versions == sorted(versions, reverse=True)
    if now.is_devrelease:
        assert headings[0] == "[Unreleased]"
        assert all(earlier < now for earlier, _ in versions)
    else:
        assert versions[0][0] == now, "A release has no heading of its own in the changelog."


def test_changelog_sorts_what_changed_into_known_kinds() -> None:
    kinds = re.findall(r"^### (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert kinds
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
