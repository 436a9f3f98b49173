//! One record of a segment file, as bytes. Pure, so that every way a record can be damaged is tried in tests.
//!
//! Layout, little-endian: magic (4), length of the body (4), CRC-32C of everything but the magic and itself (4),
//! sequence (8), milliseconds since 1970 (8), durable (8), kind (1), checksum of length and the four before it (3),
//! body. `durable` is the last sequence that was on disk when this record was written: it tells a torn tail, which
//! nobody was promised, from damage to what somebody was. Both checksums begin with their file's salt, which no
//! publisher knows: what looks like a record inside a payload is none. The header's own makes it cheap to say so.

use bytes::Bytes;

/// The size of everything before the body.
pub(super) const HEADER_LENGTH: usize = 40;
const MAGIC: [u8; 4] = [0xb5, b'H', b'R', 0x1e];

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An event.
    Event,
    /// Nothing but the word that everything before it is on disk.
    Checkpoint,
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
    pub(super) durable: u64,
    pub(super) kind: Kind,
}

/// A record with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) header: Header,
    pub(super) body: Bytes,
    /// Bytes from the beginning of this record to the next.
    pub(super) length: usize,
}

/// Append a record to `out`.
pub(super) fn encode(out: &mut Vec<u8>, salt: u64, header: Header, body: &[u8]) {
    let length = (body.len() as u32).to_le_bytes();
    let mut rest = [0_u8; 28];
    rest[..8].copy_from_slice(&header.sequence.to_le_bytes());
    rest[8..16].copy_from_slice(&header.time_ms.to_le_bytes());
    rest[16..24].copy_from_slice(&header.durable.to_le_bytes());
    rest[24] = u8::from(header.kind == Kind::Checkpoint);
    let own = header_checksum(salt, length, &rest);
    rest[25..].copy_from_slice(&own);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(salt, length, &rest, body).to_le_bytes());
    out.extend_from_slice(&rest);
    out.extend_from_slice(body);
}

/// The record at the beginning of `bytes`, or why there is none.
pub(super) fn decode(bytes: &Bytes, salt: u64, body_max: usize) -> Result<Record, &'static str> {
    let Some((head, _)) = bytes.split_first_chunk::<HEADER_LENGTH>() else {
        return Err("half a record header");
    };
    if head[..4] != MAGIC {
        return Err("no record begins here");
    }
    let rest: [u8; 28] = array(head, 12);
    if rest[25..] != header_checksum(salt, array(head, 4), &rest) {
        return Err("the checksum of a record's header does not fit");
    }
    let body_length = u32::from_le_bytes(array(head, 4)) as usize;
    if body_length > body_max {
        return Err("an impossible length");
    }
    let end = HEADER_LENGTH + body_length;
    let Some(body) = bytes.get(HEADER_LENGTH..end) else {
        return Err("half a record");
    };
    if u32::from_le_bytes(array(head, 8)) != checksum(salt, array(head, 4), &rest, body) {
        return Err("the checksum does not fit");
    }
    let kind = match head[36] {
        0 => Kind::Event,
        1 => Kind::Checkpoint,
        _ => return Err("a record of an unknown kind"),
    };
    let header = Header {
        sequence: u64::from_le_bytes(array(head, 12)),
        time_ms: u64::from_le_bytes(array(head, 20)),
        durable: u64::from_le_bytes(array(head, 28)),
        kind,
    };
    Ok(Record { header, body: bytes.slice(HEADER_LENGTH..end), length: end })
}

/// Whether a whole record that was written after `sequence` was on disk stands anywhere in `bytes`: then `sequence`
/// was promised, and its absence is damage.
pub(super) fn promises(bytes: &Bytes, salt: u64, sequence: u64, body_max: usize) -> bool {
    let mut from = 0;
    while let Some(found) = bytes.get(from..).and_then(|rest| rest.windows(4).position(|four| four == MAGIC)) {
        let at = from + found;
        if decode(&bytes.slice(at..), salt, body_max).is_ok_and(|record| record.header.durable >= sequence) {
            return true;
        }
        from = at + 1;
    }
    false
}

fn checksum(salt: u64, length: [u8; 4], rest: &[u8; 28], body: &[u8]) -> u32 {
    let sum = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &length);
    crc32c::crc32c_append(crc32c::crc32c_append(sum, rest), body)
}

/// Of everything before the last three bytes of `rest`, which it fills.
fn header_checksum(salt: u64, length: [u8; 4], rest: &[u8; 28]) -> [u8; 3] {
    let sum = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &length);
    let [first, second, third, _] = crc32c::crc32c_append(sum, &rest[..25]).to_le_bytes();
    [first, second, third]
}

/// `N` bytes of a header; every caller's range lies inside it.
fn array<const N: usize>(head: &[u8; HEADER_LENGTH], at: usize) -> [u8; N] {
    let mut bytes = [0_u8; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{HEADER_LENGTH, Header, Kind, decode, encode, promises};

    const SALT: u64 = 0x0123_4567_89ab_cdef;

    fn record(sequence: u64, durable: u64) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, SALT, Header { sequence, time_ms: 7, durable, kind: Kind::Event }, b"body");
        out
    }

    #[test]
    fn records_survive_the_round_trip() {
        let bytes = Bytes::from(record(9, 8));
        let record = decode(&bytes, SALT, 4).expect("decodes");
        assert_eq!((record.header.sequence, record.header.time_ms, record.header.durable), (9, 7, 8));
        assert_eq!((&record.body[..], record.length), (&b"body"[..], HEADER_LENGTH + 4));
        assert!(decode(&bytes, SALT, 3).is_err(), "longer than it may be");
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_seen() {
        let whole = record(9, 8);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&Bytes::from(bytes), SALT, 1024).is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(decode(&Bytes::copy_from_slice(&whole[..length]), SALT, 1024).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_later_record_tells_what_was_promised() {
        let mut bytes = vec![0xb5, 1, 2, 3];
        bytes.extend(record(10, 8));
        let bytes = Bytes::from(bytes);
        assert!(promises(&bytes, SALT, 8, 1024));
        assert!(!promises(&bytes, SALT, 9, 1024), "of the same batch as the torn one");
        assert!(!promises(&bytes, SALT + 1, 8, 1024), "of a publisher, who does not know the salt");
        assert!(!promises(&Bytes::from_static(b"nothing"), SALT, 1, 1024));
    }
}
