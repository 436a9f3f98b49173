//! Ids: UUIDs of version 7, which sort by the time they were made.

use uuid::{Builder, Uuid};

use crate::clock;

/// A new id.
pub fn new_id() -> String {
    id_at(clock::now_ms(), &wasip2::random::random::get_random_bytes(10))
}

/// Whether the text is an id in the usual form.
pub fn is_id(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

fn id_at(now_ms: i64, random: &[u8]) -> String {
    let mut bytes = [0_u8; 10];
    for (to, from) in bytes.iter_mut().zip(random) {
        *to = *from;
    }
    let millis = u64::try_from(now_ms).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_version_7_and_sorts_by_time() {
        let earlier = id_at(1_700_000_000_000, &[0xff; 10]);
        let later = id_at(1_700_000_000_001, &[0; 10]);
        assert!(earlier < later);
        assert!(is_id(&earlier));
        assert_eq!(Uuid::try_parse(&later).map(|id| id.get_version_num()), Ok(7));
        assert!(!is_id("0190163d8d9e7cc2aa00c9a1a0f4a001"));
        assert!(!is_id("not-a-uuid"));
    }
}
