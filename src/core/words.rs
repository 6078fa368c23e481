//! Each variant's word for programs that count, and all variants that there are, from one list.
//!
//! The compiler sees to it that no variant is missing, so what is shown by reason shows every reason, also one that has not
//! occurred yet.

/// Gives a type, inside of its `impl`, `ALL` and `word`, from lines of `"word" => [variant]`.
macro_rules! words {
    ($($word:literal => [$($variant:tt)+],)+) => {
        /// Every variant.
        pub const ALL: &[Self] = &[$($($variant)+),+];

        /// Its word, snake_case: no other variant has it.
        pub fn word(self) -> &'static str {
            match self {
                $($($variant)+ => $word),+
            }
        }
    };
}

pub(crate) use words;
