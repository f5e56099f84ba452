"""XMP packets lose what tells a place, and nothing else, byte for byte."""

import zlib

import places
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc.pictures import xmp
from photoarc.pictures.places import is_place, names_coordinates

NAMES = """GPSLatitude GpsLatitude GpsLongtitude Latitude Longitude AbsoluteAltitude lat long City State Country CountryCode Location
    LocationCreated LocationShown CountryName ProvinceState Sublocation WorldRegion CiAdrCity CiAdrPcode LicensorCity
    EarthPosLatitude mcc cellid CiAdrExtadr LRFTargetLat LRFTargetLon LRFTargetAbsAlt decimalLatitude GPSMapDatum geolocation
    shotLocation gpslatitude coverage Geotag"""
OTHERS = """Rating subject Velocity Capacity LongName LongExposureNoiseReductionUsed SubjectLocation ISOSpeedLatitudeyyy Regions Area
    RegionInfo RelativeAltitude AltTextAccessibility GimbalYawDegree Platform Latent Statement WebStatement Geometry CroppedAreaLeftPixels
    PlacedXResolution History State_of_mind Townsend PersonInImage hierarchicalSubject HasExtendedXMP"""


@pytest.mark.parametrize("name", NAMES.split())
def test_every_way_to_write_a_property(name):
    other = "<a:Rating>5</a:Rating>"
    assert xmp.strip(places.packet(f"<a:{name}>Berlin</a:{name}>{other}")) == places.packet(other)
    assert xmp.strip(places.packet(f"<a:{name}/>{other}")) == places.packet(other)
    assert xmp.strip(places.packet(f'<a:{name} a:x="> />" a:y=\'"/>\' />{other}')) == places.packet(other)
    assert xmp.strip(places.packet(f"{other}<a:{name}/>")) == places.packet(other)
    assert xmp.strip(places.packet(f"<a:{name}>&lt;/&gt;<!-- </a:{name}> --></a:{name}>")) == places.packet()
    nested = f'<a:{name}><rdf:Bag><rdf:li rdf:parseType="Resource"><a:x>Berlin</a:x><a:{name}>y</a:{name}></rdf:li></rdf:Bag></a:{name}>'
    assert xmp.strip(places.packet(nested + other)) == places.packet(other)
    inner = places.packet(f"<a:S rdf:parseType='Resource'>{other}</a:S>")
    assert xmp.strip(inner.replace(other.encode(), other.encode() + f"<a:{name}>1</a:{name}>".encode())) == inner
    with_attribute = places.packet(other, f"a:x=\"1\" a:{name}=\"Berlin > 'x'\" a:y='2'")
    assert xmp.strip(with_attribute) == places.packet(other, "a:x=\"1\" a:y='2'")
    element = places.packet(f'<a:Keep a:{name} = "52,31.2N"/>')
    assert xmp.strip(element) == places.packet("<a:Keep/>")


@pytest.mark.parametrize("name", OTHERS.split())
def test_what_is_no_place_stays(name):
    packet = places.packet(f"<a:{name}>5</a:{name}><a:{name}/>", f'a:{name}="GPSLatitude Berlin"')
    assert xmp.strip(packet) == packet
    assert not is_place(name)


def test_letters_of_a_depth_map_and_what_stands_behind_a_packet_stay():
    depth = places.packet("<a:Data>aGPS:GPSLat/Citygeo:lat</a:Data><rdf:Alt><rdf:li>x</rdf:li></rdf:Alt>")
    for tail in (b"", b"\0", bytes(100), b"\n" + b" " * 2000, b"\n\0\0"):
        assert xmp.strip(depth + tail) == depth + tail
        assert xmp.strip(places.packet("<a:City>B</a:City>") + tail) == places.packet() + tail


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_packets_of_every_encoding(encoding):
    def coded(properties):
        return places.packet(properties).decode().encode(encoding) + "\0".encode(
            encoding.removesuffix("-sig") + "-le" * (encoding[-2:].isdigit())
        )

    stripped = xmp.strip(coded("<a:City>K\u00f6ln</a:City><a:x>\u00e4 \U0001f600</a:x>"))
    assert stripped == coded("<a:x>\u00e4 \U0001f600</a:x>")


def test_latin_1_of_old_programs():
    text = places.packet("<a:City>K\u00f6ln</a:City><a:x>M\u00fcller</a:x>").decode().replace("\ufeff", "")
    packet = text.encode("latin-1")
    assert xmp.strip(packet) == packet.replace(b"<a:City>K\xf6ln</a:City>", b"")


@pytest.mark.parametrize(
    "packet",
    [b"", b"<a:GPSLatitude>52,31N", b"<a><b></a></b>", b"\xff\xfe<", b"<a>\0</a>", places.packet()[:-40] + b"<", b"no XML",
     b'<!DOCTYPE a [<!ENTITY b "GPS">]><a>&b;</a>', b"<a>&b;</a>", b'<a x="1" x="2"/>'],
)  # fmt: skip
def test_what_is_no_sound_xml_is_dropped(packet):
    assert xmp.strip(packet) is None


def test_comments_with_coordinates_go_and_others_stay():
    packet = places.packet("<!-- GPSLatitude=52.5 --><!-- made by hand --><a:x/>")
    assert xmp.strip(packet) == places.packet("<!-- made by hand --><a:x/>")


@pytest.mark.parametrize(
    "text",
    ["Lat: 52.5 Lon: 13.4", "gps 52.52,13.40", "exif:GPSLatitude=52", "52\u00b031'12\" N 13\u00b024'18\" E", "52.5200 N 52 deg 31 N",
     "+52.5200+013.4050/", "52.520008, 13.404954", "geo:52.52,13.40", "longitude = -13.4"],
)  # fmt: skip
def test_texts_that_name_coordinates(text):
    assert names_coordinates(text)


@pytest.mark.parametrize(
    "text", ["a picture with a place", "GPS tour", "f/2.8 1/125", "90\u00b0 turned", "1.0, 2.5", "Created with GIMP", "long 12 h"[:4]]
)
def test_other_texts(text):
    assert not names_coordinates(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_packet_is_stripped_or_dropped(data):
    packet = places.packet("<a:City>Berlin</a:City><a:x a:GPSLatitude='52'>y</a:x><!-- c -->", 'a:Location="M"')
    at = data.draw(st.integers(0, len(packet)))
    length = data.draw(st.integers(0, 40))
    noise = data.draw(st.binary(max_size=8) | st.sampled_from([b"<", b">", b'"', b"&", b"<!--", b"]]>", b"<a:City", b"\0", b"/>"]))
    stripped = xmp.strip(packet[:at] + noise + packet[at + length :])
    if stripped is not None:
        assert xmp.strip(stripped) == stripped


def test_long_packets_take_no_time():
    long = "".join(f"<a:x{n}>{zlib.crc32(bytes(n))}</a:x{n}><a:City>B</a:City>" for n in range(3000))
    assert b"City" not in (xmp.strip(places.packet(long)) or b"City")
