"""Texts that are places by the form of a word or of two numbers alone, and texts that look like these: what was decided of each."""

import time

import pytest

from photoarc.pictures.places.coordinates import names_coordinates
from photoarc.pictures.places.names import is_place

TAKEN = """
48.858_2.294
IMG_48.858370_2.294481.jpg
photo_-33.8688_151.2093
-33.868_151.209
u09tunq
u09tunquc8e
u4pruydqqvj
gcpvj0du6
geohash=u09tun
geohash:gcpvj
gh: u09tu
JN18eu
near JN18eu, portable
JN18eu12
JN18EU
FN31pr
locator JN18
QTH: JO62
grid square FN31
X=2.294 Y=48.858
x: 2.29448, y: 48.85837
{"x": 2.29448, "y": 48.85837}
X=448251 Y=5411932
x=448251.5, y=5411932.25
48.8583701 2.2944813
6.5244, 3.3792
48:51:30N
48:51:30 N 2:17:40 E
12:30:45 N, 13:24:18 E
12-30-45 E
12 30 45 E
48:51:30 N
"""
STAYS = """
12:30:45 E
12:30:45 N
09:05:01 W
3.14159 2.71828
1.41421 1.73205
1.234 2.345
v1.25_2.75
1.25_2.5
crop_0.125_0.875
1234.567_2.345
512.125_384.250
1.2.345_2.345
dsc01234
dscn1234
p1010023
gx8000
1080p60
3840x2160
60fps
deadbeef1234
3418c91b2e
sunset
2026012
5d3c00
DSC01234
AB12
EF24
CR70
MP4
DR70X
X100V
ISO100
AF24mm
x=0.25 y=0.75
X=512.125 Y=384.250
x=12.5 y=30.25
1.4142 x 1.7321
version 3.14159 2.71828
"""
PLACES = ["Mountain", "River", "Ward", "Zip", "zip4", "Lake", "MuseumName", "NationalPark", "Beach", "ZipCode", "ParkName", "RiverID"]
NO_PLACES = ["ZipVersion", "Driver", "Reward", "Forward", "Sparkle", "BeachMode", "Square", "Warden", "LakeSideFilter", "MountainPreset"]


@pytest.mark.parametrize("text", TAKEN.strip().splitlines())
def test_texts_that_are_taken(text):
    assert names_coordinates(text)


@pytest.mark.parametrize("text", STAYS.strip().splitlines())
def test_texts_that_stay(text):
    assert not names_coordinates(text)


@pytest.mark.parametrize(("name", "stays"), [("", False), ("CameraSerialNumber", True), ("xmpMM:DocumentID", True), ("Location", False)])
def test_a_code_is_none_under_names_of_numbers_of_things(name, stays):
    assert names_coordinates("u09tunq", name) is not stays
    assert names_coordinates("JN18EU", name) is not stays


def test_under_names_that_hint_at_places_short_codes_do():
    assert not names_coordinates("u09tu")
    assert not names_coordinates("JN18")
    assert names_coordinates("u09tu", "Spot")
    assert names_coordinates("JN18", "Spot")
    assert not names_coordinates("sunset", "Spot")
    assert names_coordinates("3.14159 2.71828", "MapCenter")


@pytest.mark.parametrize("name", PLACES)
def test_names_of_properties_that_are_places(name):
    assert is_place(name)


@pytest.mark.parametrize("name", NO_PLACES)
def test_names_of_properties_that_are_none(name):
    assert not is_place(name)


@pytest.mark.parametrize("piece", ["JN18", "u09tunq ", "gh:", "x=1.234 ", "1.234_", "12:30:45 ", "grid ", "x=123456 y=", "geohash: "])
def test_long_texts_take_no_time(piece):
    """A hundredth of what a search of its own for each piece would take."""
    began = time.process_time()
    names_coordinates(piece * ((1 << 18) // len(piece)))
    assert time.process_time() - began < 20


@pytest.mark.parametrize("before", [(1 << 18) - 600, (1 << 18) - 1024, 1 << 18, 700_000])
def test_coordinates_far_behind_are_found(before):
    assert names_coordinates("word " * (before // 5) + "48.8583701, 2.2944813" + " word" * 300)
    assert not names_coordinates("word " * (before // 5))


def test_what_is_too_long_to_be_judged_goes():
    assert names_coordinates(" " * ((1 << 22) + 1))
