//! Writes the XML of the query protocols.

/// A fragment of XML, written from front to back.
#[derive(Clone, Debug, Default)]
pub struct Xml {
    text: String,
}

impl Xml {
    pub fn new() -> Xml {
        Xml::default()
    }

    /// `<name>value</name>`.
    pub fn leaf(&mut self, name: &str, value: impl AsRef<str>) -> &mut Xml {
        self.open(name);
        self.escape(value.as_ref());
        self.close(name)
    }

    /// A leaf only if there is a value.
    pub fn maybe(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Xml {
        if let Some(value) = value {
            self.leaf(name, value);
        }
        self
    }

    pub fn flag(&mut self, name: &str, value: bool) -> &mut Xml {
        self.leaf(name, if value { "true" } else { "false" })
    }

    pub fn number(&mut self, name: &str, value: impl Into<i128>) -> &mut Xml {
        self.leaf(name, value.into().to_string())
    }

    /// `<name>...</name>` around what `fill` writes.
    pub fn node(&mut self, name: &str, fill: impl FnOnce(&mut Xml)) -> &mut Xml {
        self.open(name);
        fill(self);
        self.close(name)
    }

    /// `<name><item>...</item>...</name>`, one item per element.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Xml, T),
    ) -> &mut Xml {
        self.open(name);
        for item in items {
            self.node("item", |xml| fill(xml, item));
        }
        self.close(name)
    }

    pub fn append(&mut self, other: &Xml) -> &mut Xml {
        self.text.push_str(&other.text);
        self
    }

    pub fn into_text(self) -> String {
        self.text
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Xml {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self
    }

    /// Escapes markup; control characters that XML cannot carry become the replacement character.
    fn escape(&mut self, value: &str) {
        if value.bytes().all(is_plain) {
            self.text.push_str(value);
            return;
        }
        for c in value.chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\r' => self.text.push_str("&#13;"),
                '\t' | '\n' => self.text.push(c),
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                    self.text.push('\u{fffd}');
                }
                c => self.text.push(c),
            }
        }
    }
}

/// ASCII that stands for itself, as nearly all of what is written does.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && !matches!(byte, b'&' | b'<' | b'>' | b'"')
}
