"""Draw a small photo folder: what quickstart.py packs when it is given none.

python tests/support/draw_folder.py FOLDER
"""

import sys
from pathlib import Path

import pictures


def draw(folder: Path) -> None:
    """Twelve photographs in three albums, a screenshot, a sidecar, a note, an empty folder."""
    for album, first in (("2024 coast", 0), ("2025 hills", 4), ("2026 town", 8)):
        (folder / album).mkdir(parents=True)
        for number in range(first, first + 4):
            pixels = pictures.photo(1200, 800, seed=number)
            head = [(0xE1, b"Exif\0\0" + pictures.exif(orientation=1 + number % 8))]
            (folder / album / f"IMG_{number:04}.jpg").write_bytes(pictures.jpeg(pixels, quality=92, segments=head))
    (folder / "2026 town" / "scan.png").write_bytes(pictures.png(pictures.photo(640, 480, seed=99)))
    (folder / "2026 town" / "screenshot.png").write_bytes(pictures.png(pictures.screenshot(800, 600)))
    (folder / "2026 town" / "IMG_0008.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'>rated five stars</x:xmpmeta>\n" * 20)
    (folder / "read me.txt").write_text("Drawn by tests/support/draw_folder.py.\n")
    (folder / "to sort").mkdir()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
