"""Faults planted in a clean corpus, one at a time: each must be named."""

import copy

import pytest
from made_corpus import Clip, clean, write
from planted_faults import FAULTS

from amsdf.data.audit.corpus_check import check_corpora


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return clean()


def test_the_clean_corpus_is_good(clips, tmp_path):
    report = check_corpora([write(tmp_path, clips)], progress=False)
    assert report.verdict == "good", report.to_text()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_named(fault, clips, tmp_path):
    """And nothing is a problem where the fault is none."""
    planted = copy.deepcopy(clips)
    fault.plant(planted)
    report = check_corpora([write(tmp_path, planted)], progress=False, **fault.options)
    named = {finding.kind: finding for finding in report.findings}
    assert set(fault.kinds) & set(named), report.to_text()
    assert bool(report.problems) == fault.serious, report.to_text()
