//! Assertions that Rust lays out types and frames as C does; used by generated code.

/// Asserts sizes, alignments and fields' offsets.
///
/// ```
/// #[repr(C)]
/// struct Point { x: u8, y: u32 }
/// omniglot_core::assert_layouts! {
///     Point: 8, 4, { x: 0, y: 4 };
/// }
/// ```
///
/// ```compile_fail
/// #[repr(C)]
/// struct Point { x: u8, y: u32 }
/// omniglot_core::assert_layouts! {
///     Point: 8, 4, { x: 0, y: 1 };
/// }
/// ```
#[macro_export]
macro_rules! assert_layouts {
    ($($name:ident: $size:literal, $align:literal, { $($field:ident: $offset:literal),* };)*) => {
        $(const _: () = {
            assert!(::core::mem::size_of::<$name>() == $size);
            assert!(::core::mem::align_of::<$name>() == $align);
            $(assert!(::core::mem::offset_of!($name, $field) == $offset);)*
        };)*
    };
}

/// Asserts the sizes of frames and their members' offsets: the members' numbers, types and
/// offsets, after a header of eight bytes.
///
/// ```
/// omniglot_core::assert_frames! {
///     add: 24, { 1: u32 = 8, 2: u64 = 16 };
/// }
/// ```
#[macro_export]
macro_rules! assert_frames {
    ($($name:ident: $size:literal, { $($index:tt: $ty:ty = $offset:literal),* };)*) => {
        $(const _: () = {
            #[allow(dead_code)]
            #[repr(C)]
            struct OmniglotLayout([u32; 2], $($ty),*);
            assert!(::core::mem::size_of::<OmniglotLayout>() == $size);
            $(assert!(::core::mem::offset_of!(OmniglotLayout, $index) == $offset);)*
        };)*
    };
}
