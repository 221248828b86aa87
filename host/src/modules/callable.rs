//! Which functions a command can stand in for.

use wasmtime::{FuncType, ValType};

/// Whether a command can stand in for a function of this type: it takes (pointer, length) pairs and answers
/// one i64.
pub fn callable(function: &FuncType) -> bool {
    let pairs = function.params().len().is_multiple_of(2) && function.params().all(|parameter| matches!(parameter, ValType::I32));
    let result = function.results().len() == 1 && function.results().all(|result| matches!(result, ValType::I64));
    pairs && result
}
