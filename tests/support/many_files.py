"""Write a folder of thousands of small files, as cameras, phones and photo programs leave them beside photographs.

python tests/support/many_files.py FOLDER COUNT [PICTURES]

Of COUNT files PICTURES (default: one in fifty) are small JPEGs, the others sidecars: XMP with the settings of a raw converter, JSON of a
photo service, AAE of a phone, and now and then a note. The same arguments give the same bytes; times differ from file to file.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
import uuid
from pathlib import Path

import pictures

SETTINGS = """
Exposure2012 Contrast2012 Highlights2012 Shadows2012 Whites2012 Blacks2012 Texture Clarity2012 Dehaze Vibrance Saturation Temperature Tint
SharpenRadius SharpenDetail LuminanceSmoothing ColorNoiseReduction PerspectiveVertical LensProfileEnable DefringePurpleAmount
"""
FIRST_S = 1_500_000_000


def xmp(rng: random.Random, number: int) -> bytes:
    """About 2.4 kB of settings, of which a few differ between neighbours."""
    settings = "\n".join(f'   crs:{name}="{rng.randrange(-40, 40) if rng.random() < 0.4 else 0:+d}"' for name in SETTINGS.split())
    when = f"20{rng.randrange(10, 26)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}T{rng.randrange(24):02}:{rng.randrange(60):02}:31"
    ids = [uuid.UUID(int=rng.getrandbits(128)) for _ in range(2)]
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000 1.000000, 0000/00/00-00:00:00        ">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:aux="http://ns.adobe.com/exif/1.0/aux/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:CreateDate="{when}" xmp:Rating="{rng.randrange(6)}"
   tiff:Make="Canon" tiff:Model="Canon EOS R{rng.choice("568")}" tiff:Orientation="{rng.choice((1, 1, 1, 6, 8))}"
   exif:ExposureTime="1/{rng.choice((30, 60, 125, 250, 500, 1000))}" exif:FNumber="{rng.choice((28, 40, 56, 80))}/10"
   exif:FocalLength="{rng.randrange(24, 106)}/1" aux:Lens="RF24-105mm F4 L IS USM" aux:SerialNumber="0523010{rng.randrange(3)}7"
   photoshop:SidecarForExtension="CR3"
   xmpMM:DocumentID="xmp.did:{ids[0]}" xmpMM:InstanceID="xmp.iid:{ids[1]}"
   crs:RawFileName="IMG_{number:05}.CR3" crs:Version="15.4" crs:ProcessVersion="11.0" crs:WhiteBalance="As Shot"
{settings}
   crs:HasSettings="True" crs:HasCrop="False">
   <crs:ToneCurvePV2012>
    <rdf:Seq>
     <rdf:li>0, 0</rdf:li>
     <rdf:li>{rng.randrange(32, 96)}, {rng.randrange(32, 96)}</rdf:li>
     <rdf:li>255, 255</rdf:li>
    </rdf:Seq>
   </crs:ToneCurvePV2012>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
""".encode()


def takeout(rng: random.Random, number: int) -> bytes:
    """About 0.8 kB of JSON."""
    place = {
        "latitude": round(rng.uniform(44, 48), 7),
        "longitude": round(rng.uniform(6, 14), 7),
        "altitude": round(rng.uniform(0, 900), 1),
    }
    taken = FIRST_S + number * 977 + rng.randrange(900)
    return json.dumps(
        {
            "title": f"IMG_{number:05}.jpg",
            "description": "",
            "imageViews": str(rng.randrange(40)),
            "creationTime": {"timestamp": str(taken + 86_400), "formatted": "see timestamp"},
            "photoTakenTime": {"timestamp": str(taken), "formatted": "see timestamp"},
            "geoData": place | {"latitudeSpan": 0.0, "longitudeSpan": 0.0},
            "geoDataExif": place | {"latitudeSpan": 0.0, "longitudeSpan": 0.0},
            "url": "https://photos.google.com/photo/" + base64.urlsafe_b64encode(rng.randbytes(42)).decode(),
            "googlePhotosOrigin": {"mobileUpload": {"deviceFolder": {"localFolderName": ""}, "deviceType": "IOS_PHONE"}},
        },
        indent=2,
    ).encode()


def aae(rng: random.Random, number: int) -> bytes:
    """About 0.9 kB: a property list with a compressed blob."""
    blob = base64.b64encode(rng.randbytes(210)).decode()
    when = f"20{rng.randrange(14, 26)}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}T1{rng.randrange(10)}:0{rng.randrange(10)}"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
\t<key>adjustmentBaseVersion</key>
\t<integer>0</integer>
\t<key>adjustmentData</key>
\t<data>
\t{blob}
\t</data>
\t<key>adjustmentEditorBundleID</key>
\t<string>com.apple.mobileslideshow</string>
\t<key>adjustmentFormatIdentifier</key>
\t<string>com.apple.photo</string>
\t<key>adjustmentFormatVersion</key>
\t<string>1.{rng.randrange(4, 11)}</string>
\t<key>adjustmentTimestamp</key>
\t<date>{when}:{number % 60:02}Z</date>
</dict>
</plist>
""".encode()


def jpegs() -> list[bytes]:
    """A few small photographs, to be made different by their comment: drawing thousands would take minutes."""
    return [pictures.jpeg(pictures.photo(160, 120, seed=seed), quality=85) for seed in range(4)]


def write(folder: Path, count: int, picture_count: int | None = None) -> None:
    """COUNT files in albums of 500."""
    rng = random.Random(count)
    picture_count = count // 50 if picture_count is None else picture_count
    every = count // picture_count if picture_count else count + 1
    drawn = jpegs() if picture_count else []
    for number in range(count):
        album = folder / f"album {number // 500:03}"
        if number % 500 == 0:
            album.mkdir(parents=True)
        if number % every == every - 1:
            picture, comment = drawn[number % 4], b"photograph %d" % number
            name, data = f"IMG_{number:05}.jpg", picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + picture[2:]
        elif number % 97 == 5:
            name, data = f"note {number}.txt", b"Films %d to %d: north face, afternoon light.\n" % (number, number + rng.randrange(9))
        else:
            ending, make = ((".xmp", xmp), (".jpg.json", takeout), (".AAE", aae))[number % 3]
            name, data = f"IMG_{number:05}{ending}", make(rng, number)
        (album / name).write_bytes(data)
        taken_ns = (FIRST_S + 977 * number) * 10**9 + rng.randrange(10**9)
        os.utime(album / name, ns=(taken_ns, taken_ns))


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:]))
