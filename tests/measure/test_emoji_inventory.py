"""Which emojis a set of replies has."""

from temperament.measure.emoji_inventory import EmojiCount, inventory_of
from temperament.record import Generation, Label, Record, read_json, to_json

GRIN, WAVE = "\U0001f600", "\U0001f44b\U0001f3ff"


def record(reply, topic):
    return Record("s", "f", "p", Label(), Generation(), "1", topic, "Q?", "Q?", reply, error=None if reply else "none")


RECORDS = [record(f"{GRIN}{GRIN} hi {WAVE}", "tea"), record(f"{GRIN}", "tea"), record("no", "jam"), record(None, "jam")]


def test_emojis_are_listed_by_how_often_they_were_written():
    found = inventory_of(RECORDS)
    assert (found.replies, found.with_emoji, found.emojis) == (3, 2, 4)
    assert found.counts[0] == EmojiCount(GRIN, "grinning face", 3, 2, 1)
    assert found.counts[1] == EmojiCount(WAVE, "waving hand dark skin tone", 1, 1, 1)
    assert found.entropy == 0.811278


def test_no_emojis_have_no_entropy():
    found = inventory_of([record("no", "jam")])
    assert found.entropy is None
    assert found.counts == ()


def test_an_inventory_survives_its_file(tmp_path):
    found = inventory_of(RECORDS)
    (tmp_path / "emoji.json").write_text(to_json(found))
    assert read_json(tmp_path / "emoji.json", type(found)) == found
