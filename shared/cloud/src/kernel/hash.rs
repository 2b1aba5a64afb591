//! Hashes that stay the same between worlds, machines and releases of Rust, as those of the
//! standard hasher may not.

use std::hash::Hasher;

/// FNV-1a.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds a text, closed by a byte that no text contains.
    pub fn add(&mut self, text: &str) {
        self.write(text.as_bytes());
        self.write(&[0xff]);
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// A hash of several texts, finished so that similar texts do not get similar ids.
pub fn of_texts(texts: &[&str]) -> u64 {
    let mut fnv = Fnv::default();
    for text in texts {
        fnv.add(text);
    }
    let state = fnv.finish();
    let state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state ^ (state >> 33)
}
