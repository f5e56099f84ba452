"""LZW as TIFF has it, the plain way."""


def lzw_stream(data, *, full=4094, end=True, first_clears=1):
    """The encoder of TIFF 6.0 section 13, bit by bit: the table starts anew when entry `full` is there."""
    bits = [f"{256:09b}"] * first_clears
    table = {bytes([value]): value for value in range(256)}
    free, omega = 258, b""

    def write(code):
        bits.append(f"{code:0{min(12, max(9, free.bit_length()))}b}")

    for value in data:
        longer = omega + bytes([value])
        if longer in table:
            omega = longer
            continue
        write(table[omega])
        table[longer] = free
        free += 1
        omega = bytes([value])
        if free > full:
            write(256)
            table = {bytes([value]): value for value in range(256)}
            free = 258
    write(table[omega])
    free += 1
    if end:
        write(257)
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")
