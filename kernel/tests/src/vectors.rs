//! Reads the tables that the build script made.

/// One test of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector<'a, const FIELDS: usize> {
    /// The test's number in its file.
    pub(crate) number: u16,
    /// True if the operation must succeed.
    pub(crate) is_good: bool,
    /// Its fields.
    pub(crate) fields: [&'a [u8]; FIELDS],
}

/// The tests of a table.
pub(crate) struct Vectors<'a, const FIELDS: usize>(&'a [u8]);

impl<'a, const FIELDS: usize> Vectors<'a, FIELDS> {
    pub(crate) const fn new(table: &'a [u8]) -> Self {
        Self(table)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(*self.take(2)?.first_chunk()?))
    }
}

impl<'a, const FIELDS: usize> Iterator for Vectors<'a, FIELDS> {
    type Item = Vector<'a, FIELDS>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.number()?;
        let is_good = *self.take(1)?.first()? != 0;
        let mut fields = [&[][..]; FIELDS];
        for field in &mut fields {
            let len = self.number()?;
            *field = self.take(len.into())?;
        }
        Some(Vector { number, is_good, fields })
    }
}
