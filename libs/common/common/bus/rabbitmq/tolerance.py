"""Reading properties that the broker carries and the client library cannot decode.

The broker hands on what anybody published, byte for byte: a timestamp in microseconds, a short
string that is no UTF-8, a header table thousands deep. pamqp refuses such a frame, which ends the
whole connection, and the message comes again on the next one: a queue would stand still for ever
because of one property that nobody here reads. pamqp has no setting for that, but it finds its
decoders in two tables, and these are the ones in them that can fail on what a broker sends.
"""

import struct
from datetime import datetime

from pamqp import decode
from pamqp.common import FieldTable

UNDECODABLE = (ValueError, OverflowError, OSError, RecursionError)
"""What decoding raises: the clock of the platform has errors of its own."""


def accept_odd_properties() -> None:
    """Let what cannot be decoded count as absent, in this process; harmless when repeated."""
    decode.METHODS.update(timestamp=_timestamp, shortstr=_short_string, table=_table)
    decode.TABLE_MAPPING[b"T"] = _timestamp


def _timestamp(value: bytes) -> tuple[int, datetime | None]:
    try:
        return decode.timestamp(value)
    except UNDECODABLE:
        return 8, None


def _short_string(value: bytes) -> tuple[int, str]:
    try:
        return decode.short_str(value)
    except UnicodeDecodeError:
        # By a mark of one byte, so that it is still a short string when it is sent again.
        length = value[0]
        text = value[1 : length + 1].decode(errors="replace")
        return length + 1, text.replace("\N{REPLACEMENT CHARACTER}", "?")


def _table(value: bytes) -> tuple[int, FieldTable]:
    # Only the outermost table: one within another that cannot be read takes all with it.
    try:
        return decode.field_table(value)
    except UNDECODABLE:
        length: int = struct.unpack(">I", value[:4])[0]
        return length + 4, {}
