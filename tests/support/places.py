"""Metadata with a place in them, written here: EXIF, XMP, IPTC. The coordinates are 52 deg 31' 12.25", the town is Berlin."""

import struct

from PIL import ExifTags, Image

PLACE = (52.0, 31.0, 12.25)
SECONDS = (49, 4)  # as Pillow writes them


def exif(endian="<", note=b"", make="", orientation=6):
    """EXIF as TIFF bytes: orientation, a description, a date, a place."""
    made = Image.Exif()
    made.endian = endian
    made[0x0112] = orientation
    made[0x010E] = "a picture with a place"
    if make:
        made[0x010F] = make
    made.get_ifd(ExifTags.IFD.Exif)[0x9003] = "2026:01:02 03:04:05"
    if note:
        made.get_ifd(ExifTags.IFD.Exif)[0x927C] = note
    made.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: PLACE, 3: "E", 4: PLACE, 29: "2026:01:02"})
    return made.tobytes().removeprefix(b"Exif\0\0")


def directory(entries, following=0, endian="<"):
    """A TIFF directory of (tag, type, count, value) entries, values of four bytes or offsets."""
    rows = b"".join(struct.pack(endian + "HHI", tag, kind, count) + value.ljust(4, b"\0") for tag, kind, count, value in entries)
    return struct.pack(endian + "H", len(entries)) + rows + struct.pack(endian + "I", following)


def tiff(*directories, endian="<"):
    """TIFF bytes: header, then these bytes one behind the other."""
    return (b"II*\0" if endian == "<" else b"MM\0*") + struct.pack(endian + "I", 8) + b"".join(directories)


def packet(properties="", attributes="", namespaces=""):
    """An XMP packet with these elements and attributes in its description."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f'<rdf:Description rdf:about="" xmlns:a="http://ns.example/a/" {namespaces} {attributes}>{properties}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
    ).encode()


def dataset(number, value, record=2):
    """One dataset of IPTC-IIM."""
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


IIM = dataset(0, b"\0\4") + dataset(90, b"Berlin") + dataset(101, b"Germany") + dataset(80, b"A. Author") + dataset(92, b"Mitte")


def resource(number, body, name=b""):
    """One of Photoshop's resources."""
    shown = bytes([len(name)]) + name
    return b"8BIM" + struct.pack(">H", number) + shown + bytes(len(shown) & 1) + struct.pack(">I", len(body)) + body + bytes(len(body) & 1)
