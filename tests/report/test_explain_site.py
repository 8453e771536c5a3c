"""Counts of changed units say on what they rest, and what they leave out."""

from temperament.report.explain_site import counts_table, facts

SITE = {"layer": 0, "place": "residual", "units": 32, "selected": 4, "confirmed": 3, "kinds": {"amplified": 3}}


def test_the_share_under_random_signs_is_told_where_it_was_measured():
    (said,) = facts({"flipped": 0.002})
    assert said == "Where each topic's change has a random sign, the same procedure confirms 0.2\xa0%"
    assert facts({"flipped": None}) == []


def test_dimensions_that_stand_out_are_named_beside_the_count():
    _, rows = counts_table({"sites": [SITE, {**SITE, "layer": 1, "outliers": 2}]})
    assert [cells for _, cells in rows] == [
        ["3 of 32; 4 selected"],
        ["3 of 32; 4 selected; 2 outliers not counted"],
    ]
