"""Byte strings, each behind its length."""

import pytest

from photoarc.container import lengths

PARTS = [b"", b"one", bytes(300), b""]


@pytest.mark.parametrize("parts", [[], [b""], PARTS], ids=len)
def test_what_is_joined_is_split_again(parts):
    joined = lengths.join(parts)
    assert [*lengths.split(joined)] == parts
    assert [*lengths.split(b"head" + joined, 4)] == parts


def test_a_length_is_four_bytes_little_endian():
    assert lengths.join([b"ab"]) == b"\x02\0\0\0ab"


def test_every_cut_between_strings_is_seen():
    joined = lengths.join(PARTS)
    whole = {len(lengths.join(PARTS[:count])) for count in range(len(PARTS) + 1)}
    for end in set(range(len(joined))) - whole:
        with pytest.raises(ValueError, match="left"):
            list(lengths.split(joined[:end]))
