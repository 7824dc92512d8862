//! Saves flags in memory around sequences that change them, if they are live afterwards.
//!
//! One thread runs in a region, so nothing in between can use the same memory.

use super::state::{Lower, Result, unsupported};
use crate::item::{Fix, Item, Value};
use crate::layout::{KEPT_FLAGS, KEPT_R11, KEPT_RAX};
use crate::linked::Target;

impl Lower<'_> {
    /// Saves the flags if they are live after the instruction. Returns true if it did.
    pub(super) fn keep_flags(&mut self) -> bool {
        let is_needed = self.needed().has_flags();
        if is_needed {
            self.save_flags();
        }
        is_needed
    }

    /// LAHF saves all flags but the overflow flag.
    fn save_flags(&mut self) {
        self.kept(&[0x48, 0x89, 0x05], KEPT_RAX); // movq %rax, kept(%rip)
        self.push_bytes(&[0x9f]); // lahf
        self.push_bytes(&[0x0f, 0x90, 0xc0]); // seto %al
        self.kept(&[0x89, 0x05], KEPT_FLAGS); // movl %eax, kept(%rip)
        self.kept(&[0x48, 0x8b, 0x05], KEPT_RAX); // movq kept(%rip), %rax
    }

    /// Restores the saved flags.
    pub(super) fn restore_flags(&mut self) {
        self.kept(&[0x48, 0x89, 0x05], KEPT_RAX); // movq %rax, kept(%rip)
        self.kept(&[0x8b, 0x05], KEPT_FLAGS); // movl kept(%rip), %eax
        self.push_bytes(&[0x04, 0x7f]); // addb $127, %al overflows if it is 1
        self.push_bytes(&[0x9e]); // sahf
        self.kept(&[0x48, 0x8b, 0x05], KEPT_RAX); // movq kept(%rip), %rax
    }

    /// Saves r11, which an indirect jump needs.
    pub(super) fn save_r11(&mut self) {
        self.kept(&[0x4c, 0x89, 0x1d], KEPT_R11); // movq %r11, kept(%rip)
    }

    pub(super) fn restore_r11(&mut self) {
        self.kept(&[0x4c, 0x8b, 0x1d], KEPT_R11); // movq kept(%rip), %r11
    }

    /// Appends an instruction that ends in the distance to one of the places.
    pub(super) fn kept(&mut self, bytes: &[u8], place: i64) {
        let mut item = self.item();
        self.push_kept(&mut item, bytes, place);
        self.items.push(item);
    }

    fn push_kept(&self, item: &mut Item, bytes: &[u8], place: i64) {
        item.push(bytes);
        let at = item.bytes().len() as u8;
        item.push(&[0; 4]);
        let value = Value::Address(Target::Section(self.linked.thread, place));
        item.fix(Fix { at, size: 4, end: Some(at + 4), value });
    }

    /// Fails if a sequence would change flags that are live.
    pub(super) fn flags_are_free(&self) -> Result<()> {
        if self.needed().has_flags() {
            return unsupported(
                "the flags are needed after it, and its replacement changes them",
                "write the code so that the flags are not needed across it",
            );
        }
        Ok(())
    }
}
