//! Where a request's body ends (RFC 9112, 6 and 7), so that the next head is found. The body's bytes are the HTTP
//! library's business; here they are only counted.

/// The longest chunk line with its extensions, and the longest trailer section, in bytes.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Body(State);

/// Chunks that nobody can tell apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

#[derive(Debug)]
enum State {
    Fixed { remaining: u64 },
    Size { size: u64, digits: u8, in_extension: bool, bytes: usize, after_cr: bool },
    Data { remaining: u64 },
    DataEnd { after_cr: bool },
    Trailers { line_bytes: usize, bytes: usize, after_cr: bool },
    Ended,
}

const SIZE: State = State::Size { size: 0, digits: 0, in_extension: false, bytes: 0, after_cr: false };

impl Body {
    pub(crate) fn fixed(length: u64) -> Self {
        Self(State::Fixed { remaining: length })
    }

    pub(crate) fn chunked() -> Self {
        Self(SIZE)
    }

    /// How many of the bytes belong to this body, if it ends within them.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match &mut self.0 {
                State::Fixed { remaining } | State::Data { remaining } => {
                    let here = usize::try_from(*remaining).unwrap_or(usize::MAX).min(bytes.len() - at);
                    at += here;
                    *remaining -= here as u64;
                    if *remaining == 0 {
                        self.0 = match self.0 {
                            State::Fixed { .. } => State::Ended,
                            _ => State::DataEnd { after_cr: false },
                        };
                    }
                }
                _ => {
                    at += 1;
                    self.step(byte)?;
                }
            }
            if matches!(self.0, State::Ended) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn step(&mut self, byte: u8) -> Result<(), Broken> {
        let next = match &mut self.0 {
            State::Size { size, digits, in_extension, bytes, after_cr } => {
                *bytes += 1;
                match (byte, *after_cr) {
                    (b'\n', true) if *digits == 0 => return Err(Broken),
                    (b'\n', true) if *size == 0 => State::Trailers { line_bytes: 0, bytes: 0, after_cr: false },
                    (b'\n', true) => State::Data { remaining: *size },
                    (b'\n', false) | (_, true) => return Err(Broken),
                    _ if *bytes > LINE_BYTES_MAX => return Err(Broken),
                    (b'\r', false) => {
                        *after_cr = true;
                        return Ok(());
                    }
                    (b';' | b' ' | b'\t', false) if *digits > 0 => {
                        *in_extension = true;
                        return Ok(());
                    }
                    _ if *in_extension => return Ok(()),
                    _ => return size_digit(byte, size, digits),
                }
            }
            State::DataEnd { after_cr } => match (byte, *after_cr) {
                (b'\r', false) => State::DataEnd { after_cr: true },
                (b'\n', true) => SIZE,
                _ => return Err(Broken),
            },
            State::Trailers { line_bytes, bytes, after_cr } => {
                *bytes += 1;
                match (byte, *after_cr) {
                    _ if *bytes > LINE_BYTES_MAX => return Err(Broken),
                    (b'\n', true) if *line_bytes == 0 => State::Ended,
                    (b'\n', true) => State::Trailers { line_bytes: 0, bytes: *bytes, after_cr: false },
                    (b'\n', false) | (_, true) => return Err(Broken),
                    (b'\r', false) => State::Trailers { line_bytes: *line_bytes, bytes: *bytes, after_cr: true },
                    _ => State::Trailers { line_bytes: *line_bytes + 1, bytes: *bytes, after_cr: false },
                }
            }
            State::Fixed { .. } | State::Data { .. } | State::Ended => return Err(Broken),
        };
        self.0 = next;
        Ok(())
    }
}

/// Sixteen digits are what fits into the count.
fn size_digit(byte: u8, size: &mut u64, digits: &mut u8) -> Result<(), Broken> {
    let digit = char::from(byte).to_digit(16).ok_or(Broken)?;
    if *digits == 16 {
        return Err(Broken);
    }
    *digits += 1;
    *size = *size << 4 | u64::from(digit);
    Ok(())
}
