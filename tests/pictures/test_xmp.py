"""XMP packets lose what tells a place, and nothing else, byte for byte."""

import zlib

import places
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc.pictures.places import xmp
from photoarc.pictures.places.names import is_place

NAMES = """GPSLatitude GpsLatitude GpsLongtitude Latitude Longitude AbsoluteAltitude lat long City State Country CountryCode Location
    LocationCreated LocationShown CountryName ProvinceState Sublocation WorldRegion CiAdrCity CiAdrPcode LicensorCity
    EarthPosLatitude mcc cellid CiAdrExtadr LRFTargetLat LRFTargetLon LRFTargetAbsAlt decimalLatitude GPSMapDatum geolocation
    shotLocation gpslatitude coverage Geotag geolat poslat photolat photolng CenterLong UTM UTMZone MGRS PlusCode plus_code What3Words w3w
    BSSID
    wifi_bssid Placename PLACENAME place_name Cityname CurrentCity Region Region_Name District Suburb Prefecture POI PoiName Venue street
    StreetName LatLng lat_lng geo_lat HomeAddress camera_location Coordinates Elevation latitudeE7
    AdministrativeArea Easting utm_northing CellId GridRef PointOfInterest MapURL RegionCode DestLong ele"""
OTHERS = """Rating subject Velocity Capacity LongName LongExposureNoiseReductionUsed SubjectLocation ISOSpeedLatitudeyyy Regions Area
    RegionInfo RelativeAltitude AltTextAccessibility GimbalYawDegree Platform Latent Statement WebStatement Geometry CroppedAreaLeftPixels
    PlacedXResolution History State_of_mind Townsend PersonInImage hierarchicalSubject HasExtendedXMP CityLights city_night AddressSpace
    ReplacePlace FileLocation file_location MemoryAddress EmailAddress PlaceHolder InPlace ImageRegion
    Flat Melon Translation PixelCoordinates ElevationAngle
    Estate Utmost Position MusicAlong ExposureLatitude LocationOnDisk FontLocation StreamAddress Landmarks"""


def strip(packet):
    return xmp.strip(packet)[0]


@pytest.mark.parametrize("name", NAMES.split())
def test_every_way_to_write_a_property(name):
    other = "<a:Rating>5</a:Rating>"
    assert strip(places.packet(f"<a:{name}>Berlin</a:{name}>{other}")) == places.packet(other)
    assert strip(places.packet(f"<a:{name}/>{other}")) == places.packet(other)
    assert strip(places.packet(f'<a:{name} a:x="> />" a:y=\'"/>\' />{other}')) == places.packet(other)
    assert strip(places.packet(f"{other}<a:{name}/>")) == places.packet(other)
    assert strip(places.packet(f"<a:{name}>&lt;/&gt;<!-- </a:{name}> --></a:{name}>")) == places.packet()
    nested = f'<a:{name}><rdf:Bag><rdf:li rdf:parseType="Resource"><a:x>Berlin</a:x><a:{name}>y</a:{name}></rdf:li></rdf:Bag></a:{name}>'
    assert strip(places.packet(nested + other)) == places.packet(other)
    inner = places.packet(f"<a:S rdf:parseType='Resource'>{other}</a:S>")
    assert strip(inner.replace(other.encode(), other.encode() + f"<a:{name}>B</a:{name}>".encode())) == inner
    with_attribute = places.packet(other, f"a:x=\"1\" a:{name}=\"Berlin > 'x'\" a:y='2'")
    assert strip(with_attribute) == places.packet(other, "a:x=\"1\" a:y='2'")
    element = places.packet(f'<a:Keep a:{name} = "52,31.2N"/>')
    assert strip(element) == places.packet("<a:Keep/>")


@pytest.mark.parametrize("name", OTHERS.split())
def test_what_is_no_place_stays(name):
    packet = places.packet(f"<a:{name}>5</a:{name}><a:{name}/>", f'a:{name}="GPSLatitude Berlin"')
    assert strip(packet) == packet
    assert not is_place(name)


def test_letters_of_a_depth_map_and_what_stands_behind_a_packet_stay():
    depth = places.packet("<a:Data>aGPS:GPSLat/Citygeo:lat</a:Data><rdf:Alt><rdf:li>x</rdf:li></rdf:Alt>")
    for tail in (b"", b"\0", bytes(100), b"\n" + b" " * 2000, b"\n\0\0"):
        assert strip(depth + tail) == depth + tail
        assert strip(places.packet("<a:City>B</a:City>") + tail) == places.packet() + tail


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_packets_of_every_encoding(encoding):
    def coded(properties):
        return places.packet(properties).decode().encode(encoding) + "\0".encode(
            encoding.removesuffix("-sig") + "-le" * (encoding[-2:].isdigit())
        )

    stripped = strip(coded("<a:City>K\u00f6ln</a:City><a:x>\u00e4 \U0001f600</a:x>"))
    assert stripped == coded("<a:x>\u00e4 \U0001f600</a:x>")


def test_latin_1_of_old_programs():
    text = places.packet("<a:City>K\u00f6ln</a:City><a:x>M\u00fcller</a:x>").decode().replace("\ufeff", "")
    packet = text.encode("latin-1")
    assert strip(packet) == packet.replace(b"<a:City>K\xf6ln</a:City>", b"")


@pytest.mark.parametrize(
    "packet",
    [b"", b"<a:GPSLatitude>52,31N", b"<a><b></a></b>", b"\xff\xfe<", b"<a>\0</a>", places.packet()[:-40] + b"<", b"no XML",
     b'<!DOCTYPE a [<!ENTITY b "GPS">]><a>&b;</a>', b"<a>&b;</a>", b'<a x="1" x="2"/>'],
)  # fmt: skip
def test_what_is_no_sound_xml_is_dropped(packet):
    assert strip(packet) is None


def test_comments_with_coordinates_go_and_others_stay():
    packet = places.packet("<!-- GPSLatitude=52.5 --><!-- made by hand --><a:x/>")
    assert strip(packet) == places.packet("<!-- made by hand --><a:x/>")


CITY, LATITUDE = "<p:City>Berlin</p:City>", "<p:GPSLatitude>52,31N</p:GPSLatitude>"
HIDDEN = {
    "in CDATA": (f"<a:x><![CDATA[{CITY}]]></a:x>", "<a:x></a:x>"),
    "in a comment": (f"<!--{CITY}-->", ""), "in an instruction": (f"<?a {LATITUDE}?>", ""),
    "as a place of RDF": ("<rdf:City>B</rdf:City><x:City/>", ""), "in a picture": ('<a:x a:Data="' + "gps+5" * 1000 + '"/>', None),
}  # fmt: skip
SAID = {
    "XML in letters": CITY.replace("<", "&lt;"), "coordinates": "lat: 52.5, lon: 13.4", "an address": "geo:52.5,13.4",
    "XML in CDATA and letters": "<![CDATA[lat: 52.5, lon: ]]>13.4",
}  # fmt: skip


@pytest.mark.parametrize("what", HIDDEN)
def test_properties_where_careless_readers_find_them(what):
    hidden, left = HIDDEN[what]
    assert xmp.strip(places.packet(hidden)) == (places.packet(hidden if left is None else left), [])


@pytest.mark.parametrize("what", SAID)
def test_texts_that_say_coordinates_go_and_that_is_said(what):
    text = SAID[what]
    packet = places.packet(f"<a:x><rdf:Alt><rdf:li>{text}</rdf:li><rdf:li>a b</rdf:li></rdf:Alt></a:x>")
    assert xmp.strip(packet) == (places.packet("<a:x><rdf:Alt><rdf:li>a b</rdf:li></rdf:Alt></a:x>"), ["a text with coordinates"])
    if "[" not in text:
        packet = places.packet(f"<a:x rdf:resource='{text}'/>")
        assert xmp.strip(packet) == (places.packet("<a:x/>"), ["a text with coordinates"])


SCHEMES = 'xmlns:w="urn:work" xmlns:c="urn:crop"'
STAY = {
    "work": "<w:State>Draft</w:State><w:State> in review</w:State><xmpMM:State>Berlin</xmpMM:State><w:State w:x='1'>3</w:State>",
    "regions of a picture": "<mwg-rs:Region>left</mwg-rs:Region>",
    "crops": "<c:CropOrigin>12.34567, 45.67891</c:CropOrigin><c:ImageSize>12.34567 45.67891</c:ImageSize>",
    "colours": "<c:WhiteBalanceGains><rdf:Seq><rdf:li>12.34567</rdf:li><rdf:li>45.6789</rdf:li></rdf:Seq></c:WhiteBalanceGains>",
    "matrices": "<c:ColorMatrix1><rdf:Seq><rdf:li>1.9812 45.67891</rdf:li></rdf:Seq></c:ColorMatrix1>",
    "angles": "<c:Angle>45.5 deg N</c:Angle>",
    "lists": "<c:X><rdf:Seq><rdf:li>1.5</rdf:li><rdf:li>2.5</rdf:li></rdf:Seq></c:X>",
}  # fmt: skip
GO = {
    "provinces": "<photoshop:State>Draft</photoshop:State><w:State>Bavaria</w:State><w:State/>"
    "<w:State><rdf:Alt><rdf:li>x</rdf:li></rdf:Alt></w:State>",
    "regions": "<w:Region>Bavaria</w:Region>",
}  # fmt: skip
LISTS = [
    ("c:X", ("48.8583701", "2.2944813")),
    ("c:MapPoint", ("48.8", "2.2", "35")),
    ("c:X", ("48.858", "2.294")),
    ("c:Pos", ("48.8", "2.2")),
]
PREFIXES = 'xmlns:xmpMM="urn:m" xmlns:photoshop="urn:p" xmlns:mwg-rs="urn:r" ' + SCHEMES


@pytest.mark.parametrize("what", STAY)
def test_properties_of_other_things_that_are_called_like_places_stay(what):
    packet = places.packet(STAY[what], "", PREFIXES)
    assert xmp.strip(packet) == (packet, [])
    packet = places.packet("", "w:State='Draft' xmpMM:State='x' c:CropOrigin='12.34567, 45.67891'", PREFIXES)
    assert xmp.strip(packet) == (packet, [])


@pytest.mark.parametrize("what", GO)
def test_properties_that_are_places_by_their_value_go(what):
    packet = places.packet(GO[what], "photoshop:State='Draft' w:State='Bavaria'", PREFIXES)
    assert strip(packet) == places.packet("", "", PREFIXES).replace(b" >", b">")


@pytest.mark.parametrize(("name", "items"), LISTS)
@pytest.mark.parametrize("kind", ["Seq", "Bag", "Alt"])
def test_lists_of_latitude_and_longitude_go(name, items, kind):
    def packet(inner):
        return places.packet(f"<{name}>{inner}</{name}>", "", PREFIXES)

    listed = "".join(f"<rdf:li>{item}</rdf:li>" for item in items)
    assert xmp.strip(packet(f"<rdf:{kind}>{listed}</rdf:{kind}>")) == (packet(""), ["a text with coordinates"])


def test_long_captions_are_read_to_their_end():
    assert strip(places.packet(f"<a:x>{'A long walk. ' * 9000} lat: 52.5, lon: 13.4</a:x>")) == places.packet()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_packet_is_stripped_or_dropped(data):
    packet = places.packet("<a:City>Berlin</a:City><a:x a:GPSLatitude='52'>y</a:x><!-- c -->", 'a:Location="M"')
    at = data.draw(st.integers(0, len(packet)))
    length = data.draw(st.integers(0, 40))
    noise = data.draw(st.binary(max_size=8) | st.sampled_from([b"<", b">", b'"', b"&", b"<!--", b"]]>", b"<a:City", b"\0", b"/>"]))
    stripped = strip(packet[:at] + noise + packet[at + length :])
    if stripped is not None:
        assert strip(stripped) == stripped


def test_long_packets_take_no_time():
    long = "".join(f"<a:x{n}>{zlib.crc32(bytes(n))}</a:x{n}><a:City>B</a:City>" for n in range(3000))
    assert b"City" not in (strip(places.packet(long)) or b"City")
