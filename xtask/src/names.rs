//! Shortens the names of the page's WebAssembly imports. Each of wasm-bindgen's names contains a
//! hash, both in the module and in the script. Hashes cannot be compressed, and make up a thirtieth
//! of what a browser loads before the first prompt.

use anyhow::{Context, bail, ensure};

/// The beginning of every module: the magic number, and the version of the format.
const HEADER: &[u8] = b"\0asm\x01\0\0\0";
/// Id of the import section.
const IMPORT_SECTION: u8 = 2;
/// Kind of an imported function, which is followed by its type.
const FUNCTION_KIND: u8 = 0;
/// The letters of short names.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Shortens the names of the functions that `module` imports from `source`, in the module and where
/// they are keys of an object in `script`.
pub(crate) fn shorten(module: &[u8], script: &str, source: &str) -> anyhow::Result<(Vec<u8>, String)> {
    let mut rest = module.strip_prefix(HEADER).context("it is no WebAssembly module")?;
    let mut shortener = Shortener { module: HEADER.to_vec(), script: script.to_owned(), count: 0 };
    while let Some(&id) = rest.first() {
        take(&mut rest, 1)?;
        let section = take_sized(&mut rest)?;
        let is_import = id == IMPORT_SECTION;
        let section =
            if is_import { shortener.shorten_imports(section, source)? } else { section.to_owned() };
        shortener.module.push(id);
        put_sized(&mut shortener.module, &section);
    }
    ensure!(shortener.count > 0, "it imports nothing from {source}");
    Ok((shortener.module, shortener.script))
}

/// The output so far.
struct Shortener {
    module: Vec<u8>,
    script: String,
    /// Number of names that were assigned.
    count: usize,
}

impl Shortener {
    /// Returns the import section with short names.
    fn shorten_imports(&mut self, mut section: &[u8], source: &str) -> anyhow::Result<Vec<u8>> {
        let count = take_number(&mut section)?;
        let mut written = Vec::new();
        put_number(&mut written, count);
        for _ in 0..count {
            let from = take_sized(&mut section)?;
            let name = take_sized(&mut section)?;
            put_sized(&mut written, from);
            if from == source.as_bytes() {
                let name = self.rename(std::str::from_utf8(name)?)?;
                put_sized(&mut written, name.as_bytes());
            } else {
                put_sized(&mut written, name);
            }
            let kind = take(&mut section, 1)?;
            ensure!(kind == [FUNCTION_KIND], "it imports something other than a function");
            written.push(FUNCTION_KIND);
            put_number(&mut written, take_number(&mut section)?);
        }
        Ok(written)
    }

    /// Replaces a name in the script, and returns the new one.
    fn rename(&mut self, name: &str) -> anyhow::Result<String> {
        let key = format!(" {name}: ");
        ensure!(self.script.matches(&key).count() == 1, "{name} does not occur exactly once in the script");
        let short = name_of(self.count);
        self.count += 1;
        self.script = self.script.replacen(&key, &format!(" {short}: "), 1);
        Ok(short)
    }
}

/// Returns the name with this number: a to Z, then aa and so on.
fn name_of(number: usize) -> String {
    let letter = char::from(LETTERS[number % LETTERS.len()]);
    match number / LETTERS.len() {
        0 => letter.to_string(),
        others => format!("{}{letter}", name_of(others - 1)),
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> anyhow::Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count).context("it ends too early")?;
    *bytes = rest;
    Ok(taken)
}

/// Takes bytes that are preceded by their count.
fn take_sized<'a>(bytes: &mut &'a [u8]) -> anyhow::Result<&'a [u8]> {
    let count = take_number(bytes)?;
    take(bytes, count.try_into()?)
}

/// Takes a number of seven bits per byte, the lowest first (LEB128).
fn take_number(bytes: &mut &[u8]) -> anyhow::Result<u32> {
    let mut number = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    bail!("it contains an overlong number")
}

fn put_sized(to: &mut Vec<u8>, bytes: &[u8]) {
    put_number(to, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    to.extend_from_slice(bytes);
}

fn put_number(to: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        to.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    to.push(u8::try_from(number).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a module with these imported functions, followed by another section.
    fn module(imports: &[(&str, &str)]) -> Vec<u8> {
        let mut section = Vec::new();
        put_number(&mut section, u32::try_from(imports.len()).unwrap());
        for (from, name) in imports {
            put_sized(&mut section, from.as_bytes());
            put_sized(&mut section, name.as_bytes());
            section.extend([FUNCTION_KIND, 7]);
        }
        let mut module = [HEADER, &[IMPORT_SECTION]].concat();
        put_sized(&mut module, &section);
        module.extend([11, 2, 0xff, 0xfe]);
        module
    }

    #[test]
    fn names_are_short_on_both_sides() {
        let before = module(&[("bg", "close_1f"), ("other", "load"), ("bg", "close_2e")]);
        let script = "{\n    close_1f: function() {},\n    close_2e: function() { close_1f },\n}";
        let (after, script) = shorten(&before, script, "bg").unwrap();
        assert_eq!(after, module(&[("bg", "a"), ("other", "load"), ("bg", "b")]));
        assert_eq!(script, "{\n    a: function() {},\n    b: function() { close_1f },\n}");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let one = module(&[("bg", "a_1")]);
        assert!(shorten(&one, "{ a_1: f, }", "bg").is_ok());
        for (module, script) in
            [(&one[..], "{ a_2: f }"), (&one, "{ a_1: f, a_1: g }"), (&one[..19], "{ a_1: f }"), (b"", "")]
        {
            assert!(shorten(module, script, "bg").is_err(), "{script}");
        }
        assert!(shorten(&one, "{ a_1: f }", "other").is_err());
        let mut memory = one.clone();
        let kind = memory.iter().position(|&byte| byte == 7).unwrap() - 1;
        memory[kind] = 2;
        assert!(shorten(&memory, "{ a_1: f }", "bg").is_err());
    }

    #[test]
    fn numbers_come_back_as_they_were() {
        for number in [0, 127, 128, 300, 1 << 21, u32::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            assert_eq!(take_number(&mut &bytes[..]).unwrap(), number);
        }
        assert!(take_number(&mut &[0x80; 9][..]).is_err());
    }

    #[test]
    fn every_number_has_a_name_of_its_own() {
        assert_eq!([0, 51, 52, 103, 104].map(name_of), ["a", "Z", "aa", "aZ", "ba"]);
    }
}
