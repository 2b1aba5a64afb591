//! Base64 with padding, in which user data, console output and UEFI variables travel.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let sum = (0..3)
            .fold(0_usize, |sum, at| (sum << 8) | group.get(at).copied().map_or(0, usize::from));
        for at in 0..4 {
            let digit = DIGITS.get((sum >> (18 - 6 * at)) & 63).copied().unwrap_or(b'=');
            text.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// How many bytes the text stands for, or nothing if it is not Base64.
pub fn decoded_length(text: &str) -> Option<usize> {
    let bytes: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = bytes.len().saturating_sub(padding);
    let fits = bytes.iter().take(digits).all(|byte| DIGITS.contains(byte));
    (fits && bytes.len().is_multiple_of(4) && padding <= 2).then_some(digits * 3 / 4)
}
