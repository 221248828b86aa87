//! What compiling a file would take: the compiler's time and memory grow by the square of some counts of one function, and nothing ends it.

use wasmparser::{BlockType, FunctionBody, Operator, Parser, Payload, Result, TypeRef};

/// Bytes of one function.
const FUNCTION_BYTES_MAX: usize = 64 << 10;
/// Loops times what may be alive in them, summed over the functions of a file: a second of compiling. Functions of ordinary modules have
/// some ten loops and variables.
const WEIGHT_MAX: u64 = 16 << 20;
/// Values that the calls and branches of a file pass on: three seconds of compiling.
const PASSED_MAX: u64 = 1 << 20;
/// Bytes of code that put one value onto the stack, where it stays.
const BYTES_PER_VALUE: u64 = 8;

/// Refuses a file whose functions would keep the compiler for long. What is no module at all is left to the compiler, which says why.
///
/// # Errors
/// What there is too much of.
pub fn check(bytes: &[u8]) -> std::result::Result<(), String> {
    // What cannot be read here no compiler reads either.
    weigh(bytes).unwrap_or(None).map_or(Ok(()), |what| Err(format!("compiling it would take too long: {what}")))
}

/// What there is too much of, if anything.
fn weigh(bytes: &[u8]) -> Result<Option<String>> {
    let mut types = Types::default();
    // The function whose body comes next: imported ones have none.
    let mut next = 0;
    let mut weight: u64 = 0;
    let mut passed: u64 = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::TypeSection(section) => {
                for function in section.into_iter_err_on_gc_types() {
                    let function = function?;
                    types.values.push((function.params().len() + function.results().len()) as u64);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Func(index) = import?.ty {
                        types.functions.push(index);
                        next += 1;
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for index in section {
                    types.functions.push(index?);
                }
            }
            Payload::CodeSectionEntry(body) => {
                let length = body.range().len();
                if length > FUNCTION_BYTES_MAX {
                    return Ok(Some(format!("a function of {length} bytes, more than {FUNCTION_BYTES_MAX}")));
                }
                let counts = count(&body, &types, types.of_function(next))?;
                next += 1;
                passed = passed.saturating_add(counts.passed);
                if passed > PASSED_MAX {
                    return Ok(Some(format!("its calls and branches pass more than {PASSED_MAX} values on")));
                }
                let alive = counts.heads.saturating_add(counts.variables).saturating_add(length as u64 / BYTES_PER_VALUE);
                weight = weight.saturating_add(counts.heads.saturating_mul(alive));
                if weight > WEIGHT_MAX {
                    return Ok(Some(format!("its loops times what may be alive in them are more than {WEIGHT_MAX}")));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Parameters and results of functions and blocks.
#[derive(Default)]
struct Types {
    /// How many each type has.
    values: Vec<u64>,
    /// The type of each function.
    functions: Vec<u32>,
}

impl Types {
    fn of_type(&self, index: u32) -> u64 {
        self.values.get(index as usize).copied().unwrap_or(0)
    }

    fn of_function(&self, index: u32) -> u64 {
        self.functions.get(index as usize).map_or(0, |&index| self.of_type(index))
    }
}

#[derive(Default)]
struct Counts {
    variables: u64,
    /// Loops, and values that blocks take and leave: the compiler has a variable of its own for each.
    heads: u64,
    /// Values that calls and branches pass on.
    passed: u64,
}

/// Counts in a function that has itself so many parameters and results.
fn count(body: &FunctionBody<'_>, types: &Types, own: u64) -> Result<Counts> {
    let mut counts = Counts::default();
    for local in body.get_locals_reader()? {
        counts.variables = counts.variables.saturating_add(local?.0.into());
    }
    // The most that a branch passes on.
    let mut most = own.max(1);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let operator = operators.read()?;
        match operator {
            Operator::Loop { blockty } | Operator::Block { blockty } | Operator::If { blockty } => {
                if let BlockType::FuncType(index) = blockty {
                    counts.heads += types.of_type(index);
                    most = most.max(types.of_type(index));
                }
                counts.heads += u64::from(matches!(operator, Operator::Loop { .. }));
            }
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                counts.passed += types.of_function(function_index)
            }
            Operator::CallIndirect { type_index, .. } | Operator::ReturnCallIndirect { type_index, .. } => {
                counts.passed += types.of_type(type_index)
            }
            Operator::Br { .. } | Operator::BrIf { .. } | Operator::Return => counts.passed += most,
            Operator::BrTable { targets } => counts.passed += most.saturating_mul(u64::from(targets.len()) + 1),
            _ => {}
        }
    }
    Ok(counts)
}
