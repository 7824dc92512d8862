//! What a header's annotations say about functions and their parameters.

/// What is known of a function from its annotations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annotated {
    pub(crate) parameters: Vec<ParameterAnnotations>,
    /// The result must not be ignored: `warn_unused_result` or `nodiscard`.
    pub(crate) must_use: bool,
    /// The result is fresh memory, which the caller frees: `malloc`.
    pub(crate) fresh: bool,
}

/// What is known of a parameter.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParameterAnnotations {
    pub(crate) null: Null,
    pub(crate) counted: Option<Counted>,
}

/// Whether a pointer can be null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Null {
    /// The header does not say.
    #[default]
    Unknown,
    /// `_Nonnull`, or the attribute `nonnull`.
    Never,
    /// `_Nullable`, or `counted_by_or_null`.
    Allowed,
}

/// How long what a pointer points to is: `counted_by(n)` or `sized_by(n)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The annotation's argument.
    pub(crate) by: String,
    pub(crate) unit: LengthUnit,
}

/// What a length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LengthUnit {
    Elements,
    Bytes,
}
