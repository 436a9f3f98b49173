//! Quantities with their units: bytes, times, rates and shares. A bare number is refused where a unit is needed.

mod backoff;
mod bytes;
mod duration;
mod rate;

pub use backoff::BackoffRange;
pub use bytes::{ByteRate, ByteSize};
pub use duration::{DURATION_MAX, format_duration, parse_duration};
pub use rate::{Percent, Rate};

use crate::problem::Invalid;

/// Split `250ms` into its number and its unit. Whole numbers only: `1.5s` is written `1500ms`.
fn number_and_unit<'t>(text: &'t str, wanted: &str) -> Result<(u64, &'t str), Invalid> {
    let wrong = |message: String| Invalid::new(message, format!("write {wanted}"));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(wrong(format!("\"{text}\" does not start with a number")));
    }
    if unit.starts_with('.') {
        return Err(wrong(format!("\"{text}\" is not a whole number of its unit")));
    }
    let number = number.parse().map_err(|_| wrong(format!("\"{text}\" is too large")))?;
    Ok((number, unit))
}

fn unknown_unit(unit: &str) -> String {
    if unit.is_empty() { "has no unit".to_owned() } else { format!("has the unknown unit '{unit}'") }
}

#[cfg(test)]
mod tests;
