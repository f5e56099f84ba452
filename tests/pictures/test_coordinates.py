"""Texts in which coordinates are written, in the ways in which receivers, maps and people write them; and texts that look like these."""

import time

import pytest

from photoarc.pictures.places.coordinates import coordinates_in, names_coordinates

NAMED = """
Lat: 52.5 Lon: 13.4
Lat 48.8 Lon 2.2
gps 52.52,13.40
exif:GPSLatitude=52
longitude = -13.4
Breitengrad 48,85
{"lat":48.8,"lng":2.2}
{"latitudeE7": 488583701}
lat_deg: 48.8
lat48.858lon2.294
<lat>48.8</lat>
<trkpt lat="48.8" lon="2.2">
lat|48.8
<coordinates>2.294,48.858,0</coordinates>
<gml:pos>48.8 2.2</gml:pos>
POINT(2.294 48.858)
"coordinates":[2.294,48.858]
{"Placename": "Paris", "x": 1}
{"a": {"photoshop:City": "Paris"}}
"""
DEGREES = """
52\u00b031'12" N 13\u00b024'18" E
48\u00b051'30"
48.8583\u00b0 N
48.858\u00b0, 2.294\u00b0
48\u00b0N 2\u00b0E
52.5200 N 52 deg 31 N
45 deg N, 12 deg E
N48.8 E2.2
S33.87 E151.21
48.8 North, 2.2 East
N 48 51.500 E 002 17.667
48,51.50N
48,51,30N
48 51 30 N
48:51:30N
48-51-30 N
48.8584N
48d51m30s N
48.8584 north
GPS position 48 51 30
485130N 0021740E
O 13 24 18 N 52 31 12
"""
NUMBERS = """
52.520008, 13.404954
48.8583701, 2.2944813, 35
48.8583701,2.2944813,35.2 m
48.8583701|2.2944813
48.8583701/2.2944813
48,8583701; 2,2944813
48,8584 2,2945
48.858 2.294
(48.858, 2.294)
0.3476, 32.5825
Position: 48.85, 2.29
LatLng(48.858, 2.294)
taken at 48.858, 2.294 in May
48.858370,2.294481 48.858371,2.294482
51.5074, -0.1278
-33.8688 151.2093
+52.5200+013.4050/
+485130+0021740/
$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47
$GNRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A
$GLGLL,4916.45,N,12311.12,W,225444,A
"""
LINKS = """
geo:52.52,13.40
https://www.google.com/maps/@48.858,2.294,17z
/@48.858,2.294
https://www.openstreetmap.org/?mlat=48.8&mlon=2.29
https://www.openstreetmap.org/#map=15/48.858/2.294
https://bing.com/maps?cp=48.8~2.2
https://www.google.com/maps/place/48.8,2.2
?q=48.8,2.2
q=48.8%2C2.2
ll=48.8,2.2
!3d48.858!4d2.294
https://maps.app.goo.gl/AbCdE
https://w3w.co/filled.count.soap
///filled.count.soap
"""
CODES = """
8FW4V75V+8Q
at 8fw4v75v+8q now
V75V+8Q Paris
8FW40000+
31U DQ 48251 11932
31UDQ4825111932
31U 448251 5411932
geohash: u09tunq
"""
WITHOUT = """
a picture with a place
GPS tour
GPS 60
f/2.8 1/125
90\u00b0 turned
45 deg N
1.0, 2.5
0.3119, 0.2085
0.311905, 0.208571, 0.113095, 0.198571
1.311905, 0.208571, 1.113095, 0.198571
long 12 h
2 m long 3.5 m wide
50 lat 7.5
a flat 3.5
Isolated: 5.1
S01E05 720p
2026:01:02 03:04:05
12:30 N
24-70 mm f/2.8 S
E 18-55mm F3.5-5.6 OSS
24 70 2.8 4
24.000 70.000
NIKON D5600 Ver.1.02
Population 48,858 2,294
costs 12.50, 3.20 EUR
2345+67
hello+world
user@1.2.3.4
127.0.0.1
file:///home.png.txt
https://example.org/2026/11/05/a.html?q=2
utm_source=x
crop: 12.34567, 45.67891
{"offset": [12.34567, 45.67891], "State": "draft", "City": null}
{"prompt":"a city","seed":1}
5.5 S
xmp.did:3418C91A1E2468119E608F2430A71D1E
2024-01-02 12:13:14 S
E5 2.8
PFQR+HV
@1.5,2.5x
3FC1E0C4-ACE6-8122-8D4E-46AEC519CE89
3E49C973-3C00-426D-A5A2-9ECD81803139
Created with GIMP
"""


def lines(text):
    return text.strip().splitlines()


@pytest.mark.parametrize("text", [line for text in (NAMED, DEGREES, NUMBERS, LINKS, CODES) for line in lines(text)])
def test_texts_that_name_coordinates(text):
    assert names_coordinates(text)
    assert names_coordinates(f" {text}\n")
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        assert coordinates_in(text.encode(encoding))


@pytest.mark.parametrize("text", lines(WITHOUT))
def test_other_texts(text):
    assert not names_coordinates(text)
    for encoding in ("utf-8", "utf-16-le"):
        assert not coordinates_in(text.encode(encoding))


@pytest.mark.parametrize(
    "name", ["CropOrigin", "ImageSize", "WhiteBalance", "crs:ColorMatrix1", "lens_data", "ToneCurvePV2012", "AngleOfView"]
)
@pytest.mark.parametrize("text", ["12.34567, 45.67891", "48.858 2.294", "45.5 deg N", "48\u00b051'30\""])
def test_numbers_of_what_is_measured_otherwise_stay(name, text):
    assert names_coordinates(text)
    assert not names_coordinates(text, name)
    assert names_coordinates(text, f"{name}GPS")
    assert names_coordinates(f"{text} lat: 52.5", name)


@pytest.mark.parametrize("name", ["Position", "MapCenter", "a:point"])
def test_under_names_that_hint_at_places_few_decimals_do(name):
    assert names_coordinates("48.8, 2.2", name)
    assert not names_coordinates("48.8, 2.2")
    assert not names_coordinates("0.5, 0.25", name)


@pytest.mark.parametrize(
    "piece",
    ["1.2345 ", "lat ", "12 3 4.5 ", "[", "1,", "+12.3", '"a":', "///ab", "@1.2", "48\u00b0 ", "maps.google.com/", "N 1 2 ", "<pos "],
)
def test_long_texts_take_no_time(piece):
    """A hundredth of what a search of its own for each piece would take."""
    began = time.process_time()
    names_coordinates(piece * ((1 << 18) // len(piece)))
    assert time.process_time() - began < 20
