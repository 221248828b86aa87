//! What compiling a file would take, counted before: microseconds of a processor, as measured with files that
//! hold nothing but one thing.
//!
//! The compiler makes more than a file shows: a check of its own before each access to memory, a function for
//! each type, one that writes the segments. Some of it takes time and memory that grow by the square of what
//! one function holds. `compile.rs` ends what this rule does not foresee.

use wasmparser::{
    BlockType, ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FunctionBody, Operator, Parser, Payload, Result, TypeRef,
};

/// Elements of one table: the handlers of a module, with room to spare.
pub const TABLE_ELEMENTS_MAX: usize = 1 << 16;
/// Microseconds that compiling a file may take by this rule. Ordinary modules weigh some two seconds for each
/// MiB.
const WEIGHT_MAX: u64 = 6_000_000;
/// Bytes of one function.
const FUNCTION_BYTES_MAX: usize = 64 << 10;
/// Bytes of the name of an import or an export: they are logged and shown whole.
const NAME_BYTES_MAX: usize = 512;
/// Functions that a module imports: each is linked, shown and, by command, kept by name.
const IMPORTS_MAX: usize = 1024;
/// Tables of one module, of [`TABLE_ELEMENTS_MAX`] elements each.
const TABLES_MAX: u32 = 16;

/// Microseconds of each.
const FUNCTION: u64 = 90;
/// A type, and a function that others than this module may call, have functions between the ways of calling …
const TRAMPOLINE: u64 = 120;
/// … with each parameter and result.
const TRAMPOLINE_VALUE: u64 = 12;
/// Locals: so many in one microsecond. A parameter or result takes as long as several.
const LOCALS: u64 = 10;
const LOCALS_PER_PARAMETER: u64 = 4;
const LOCALS_PER_GROUP: u64 = 10;
/// An import, an export, a global, a data segment.
const ENTRY: u64 = 2;
/// A data segment that is written when the module begins.
const DATA: u64 = 250;
const ELEMENTS: u64 = 20;
const ELEMENT: u64 = 15;
const ELEMENT_EXPRESSION: u64 = 100;
/// An instruction of a constant expression, and one of those that refers to a function.
const CONSTANT: u64 = 5;
const CONSTANT_FUNCTION: u64 = 50;
/// A value that a call or a branch passes on.
const PASSED: u64 = 3;
/// Loops times what may be alive in them: so many in one microsecond.
const ALIVE: u64 = 16;
/// Bytes of code that put one value onto the stack, where it stays.
const BYTES_PER_VALUE: u64 = 8;
/// The square of the points of a function at which its code may branch: so many in one microsecond.
const POINTS: u64 = 500;

/// Refuses a file that would keep the compiler for long, or of which something is without measure.
///
/// # Errors
/// What there is too much of, or what is no WebAssembly.
pub fn check(bytes: &[u8]) -> std::result::Result<(), String> {
    // The compiler reads one function while it compiles others: what cannot be read may not get there.
    let file = weigh(bytes).map_err(|error| error.to_string())?;
    if let Some(what) = file.refused {
        return Err(what);
    }
    let total = file.weights.iter().fold(0, |sum: u64, (weight, _)| sum.saturating_add(*weight));
    match file.weights.iter().max() {
        Some((most, what)) if total > WEIGHT_MAX => {
            let ms = |weight: u64| weight / 1000;
            Err(format!(
                "compiling it would take too long: some {} ms, more than {}, {} of them for {what}",
                ms(total),
                ms(WEIGHT_MAX),
                ms(*most)
            ))
        }
        _ => Ok(()),
    }
}

/// What is known of a file, and what it comes to.
#[derive(Default)]
struct Weighed {
    /// Parameters and results of each type.
    types: Vec<u64>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    imported: usize,
    /// Whether each function may be called by others than this module.
    escaping: Vec<bool>,
    /// Microseconds, and what for.
    weights: Vec<(u64, &'static str)>,
    /// What there may not be at all.
    refused: Option<String>,
}

fn weigh(bytes: &[u8]) -> Result<Weighed> {
    let mut file = Weighed::default();
    let mut code = Code::default();
    // The function whose body comes next.
    let mut next = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::TypeSection(section) => {
                for function in section.into_iter_err_on_gc_types() {
                    let function = function?;
                    file.types.push((function.params().len() + function.results().len()) as u64);
                }
            }
            Payload::ImportSection(section) => {
                let mut count = 0;
                for import in section.into_imports() {
                    let import = import?;
                    count += 1;
                    file.refuse_name(import.module);
                    file.refuse_name(import.name);
                    if let TypeRef::Func(index) = import.ty {
                        file.functions.push(index);
                    }
                    file.add(ENTRY, ENTRIES);
                }
                if count > IMPORTS_MAX {
                    file.refused.get_or_insert(format!("it has {count} imports, more than {IMPORTS_MAX}"));
                }
                file.imported = file.functions.len();
                next = file.imported;
            }
            Payload::FunctionSection(section) => {
                for index in section {
                    file.functions.push(index?);
                }
                file.escaping = vec![false; file.functions.len()];
            }
            Payload::TableSection(section) => {
                if section.count() > TABLES_MAX {
                    file.refused.get_or_insert(format!("it has {} tables, more than {TABLES_MAX}", section.count()));
                }
                for table in section {
                    file.refuse_table(table?.ty.initial);
                }
            }
            Payload::CodeSectionEntry(body) => {
                code.add(&body, &file, next)?;
                next += 1;
            }
            other => weigh_rest(other, &mut file)?,
        }
    }
    file.refused = file.refused.or(code.refused.take());
    code.sum(&mut file);
    file.sum();
    Ok(file)
}

/// Sections of which each entry weighs by itself.
fn weigh_rest(payload: Payload<'_>, file: &mut Weighed) -> Result<()> {
    match payload {
        Payload::GlobalSection(section) => {
            for global in section {
                file.constant(&global?.init_expr)?;
                file.add(ENTRY, ENTRIES);
            }
        }
        Payload::ExportSection(section) => {
            for export in section {
                let export = export?;
                file.refuse_name(export.name);
                if export.kind == ExternalKind::Func {
                    file.escape(export.index);
                }
                file.add(ENTRY, ENTRIES);
            }
        }
        Payload::StartSection { func, .. } => file.escape(func),
        Payload::ElementSection(section) => {
            for elements in section {
                let elements = elements?;
                if let ElementKind::Active { offset_expr, .. } = &elements.kind {
                    file.constant(offset_expr)?;
                }
                file.add(ELEMENTS, ELEMENTS_OF_TABLES);
                match elements.items {
                    ElementItems::Functions(indices) => {
                        for index in indices {
                            file.escape(index?);
                            file.add(ELEMENT, ELEMENTS_OF_TABLES);
                        }
                    }
                    ElementItems::Expressions(_, expressions) => {
                        for expression in expressions {
                            file.constant(&expression?)?;
                            file.add(ELEMENT_EXPRESSION, ELEMENTS_OF_TABLES);
                        }
                    }
                }
            }
        }
        Payload::DataSection(section) => {
            for data in section {
                if let DataKind::Active { offset_expr, .. } = &data?.kind {
                    file.constant(offset_expr)?;
                    file.add(DATA, "data segments");
                }
                file.add(ENTRY, ENTRIES);
            }
        }
        _ => {}
    }
    Ok(())
}

const ENTRIES: &str = "imports, exports, globals and segments";
const ELEMENTS_OF_TABLES: &str = "elements of tables";

impl Weighed {
    fn add(&mut self, weight: u64, what: &'static str) {
        match self.weights.iter_mut().find(|(_, other)| *other == what) {
            Some((sum, _)) => *sum = sum.saturating_add(weight),
            None => self.weights.push((weight, what)),
        }
    }

    fn values_of_type(&self, index: u32) -> u64 {
        self.types.get(index as usize).copied().unwrap_or(0)
    }

    fn values_of_function(&self, index: u32) -> u64 {
        self.functions.get(index as usize).map_or(0, |&index| self.values_of_type(index))
    }

    fn escape(&mut self, function: u32) {
        if let Some(escapes) = self.escaping.get_mut(function as usize) {
            *escapes = true;
        }
    }

    fn refuse_name(&mut self, name: &str) {
        if name.len() > NAME_BYTES_MAX {
            self.refused.get_or_insert(format!("it imports or exports a name of {} bytes, more than {NAME_BYTES_MAX}", name.len()));
        }
    }

    /// No store would take it; the compiler would write down what stands at each place up to the last that is
    /// known.
    fn refuse_table(&mut self, elements: u64) {
        if elements > TABLE_ELEMENTS_MAX as u64 {
            self.refused.get_or_insert(format!("it has a table of {elements} elements, more than {TABLE_ELEMENTS_MAX}"));
        }
    }

    fn constant(&mut self, expression: &ConstExpr<'_>) -> Result<()> {
        let mut operators = expression.get_operators_reader();
        while !operators.eof() {
            if let Operator::RefFunc { function_index } = operators.read()? {
                self.escape(function_index);
                self.add(CONSTANT_FUNCTION, "constants");
            }
            self.add(CONSTANT, "constants");
        }
        Ok(())
    }

    /// Adds what depends on the whole file.
    fn sum(&mut self) {
        let trampoline = |values: u64| TRAMPOLINE + TRAMPOLINE_VALUE * values;
        let types = self.types.iter().map(|&values| trampoline(values)).sum();
        self.add(types, "types");
        let escaping = (self.imported..self.escaping.len()).filter(|&index| self.escaping[index]);
        let escaping = escaping.map(|index| trampoline(self.values_of_function(index as u32))).sum();
        self.add(escaping, "functions that others may call");
    }
}

/// The bodies of all functions.
#[derive(Default)]
struct Code {
    functions: u64,
    locals: u64,
    instructions: u64,
    branches: u64,
    loops: u64,
    passed: u64,
    /// Functions that `ref.func` names.
    escaping: Vec<u32>,
    refused: Option<String>,
}

impl Code {
    /// Adds the body of the function `index`.
    fn add(&mut self, body: &FunctionBody<'_>, file: &Weighed, index: usize) -> Result<()> {
        let length = body.range().len();
        if length > FUNCTION_BYTES_MAX {
            self.refused.get_or_insert(format!("it has a function of {length} bytes, more than {FUNCTION_BYTES_MAX}"));
        }
        let own = file.values_of_function(index as u32);
        let mut variables = own;
        for local in body.get_locals_reader()? {
            variables = variables.saturating_add(local?.0.into());
            self.locals += LOCALS_PER_GROUP;
        }
        self.functions += 1;
        self.locals = self.locals.saturating_add(variables + LOCALS_PER_PARAMETER * own);
        // Loops, and values that blocks take and leave: the compiler has a variable of its own for each.
        let mut heads: u64 = 0;
        // The most that a branch passes on.
        let mut most = own.max(1);
        let mut points: u64 = 0;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            let (microseconds, places) = cost(&operator);
            self.instructions += microseconds;
            points += places;
            match operator {
                Operator::Loop { blockty } | Operator::Block { blockty } | Operator::If { blockty } => {
                    if let BlockType::FuncType(index) = blockty {
                        heads += file.values_of_type(index);
                        most = most.max(file.values_of_type(index));
                    }
                    heads += u64::from(matches!(operator, Operator::Loop { .. }));
                }
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    self.passed += file.values_of_function(function_index);
                }
                Operator::CallIndirect { type_index, .. } | Operator::ReturnCallIndirect { type_index, .. } => {
                    self.passed += file.values_of_type(type_index);
                }
                Operator::Br { .. } | Operator::BrIf { .. } | Operator::Return => self.passed += most,
                Operator::BrTable { targets } => self.passed += most.saturating_mul(u64::from(targets.len()) + 1),
                Operator::RefFunc { function_index } => self.escaping.push(function_index),
                _ => {}
            }
        }
        let alive = heads.saturating_add(variables).saturating_add(length as u64 / BYTES_PER_VALUE);
        self.loops = self.loops.saturating_add(heads.saturating_mul(alive));
        self.branches += points * points;
        Ok(())
    }

    fn sum(self, file: &mut Weighed) {
        for index in self.escaping {
            file.escape(index);
        }
        file.add(FUNCTION * self.functions, "functions");
        file.add(self.locals / LOCALS, "locals");
        file.add(self.instructions, "instructions");
        file.add(self.branches / POINTS, "functions with many branches and checks");
        file.add(self.loops / ALIVE, "loops times what may be alive in them");
        file.add(self.passed.saturating_mul(PASSED), "values that calls and branches pass on");
    }
}

/// Microseconds that an instruction takes in a short function, and its points: some for each place where the
/// code may branch, which is the compiler's work where memory is accessed or a trap is near.
fn cost(operator: &Operator<'_>) -> (u64, u64) {
    use Operator as O;
    match operator {
        O::CallIndirect { .. } | O::ReturnCallIndirect { .. } => (75, 8),
        O::TableCopy { .. } | O::TableInit { .. } | O::TableGrow { .. } => (60, 5),
        O::TableGet { .. } => (45, 3),
        O::TableSet { .. } | O::TableFill { .. } | O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => (25, 3),
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU | O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => (35, 4),
        O::I32TruncF32S | O::I32TruncF32U | O::I32TruncF64S | O::I32TruncF64U => (40, 4),
        O::I64TruncF32S | O::I64TruncF32U | O::I64TruncF64S | O::I64TruncF64U => (40, 4),
        O::Loop { .. } | O::Block { .. } | O::If { .. } | O::Else | O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } => (4, 2),
        O::Call { .. } | O::ReturnCall { .. } | O::RefFunc { .. } | O::MemoryGrow { .. } | O::DataDrop { .. } | O::ElemDrop { .. } => {
            (5, 1)
        }
        O::Return | O::Unreachable => (2, 1),
        _ if accesses_memory(operator) => (20, 3),
        _ => (1, 0),
    }
}

#[rustfmt::skip]
fn accesses_memory(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32Load { .. } | O::I64Load { .. } | O::F32Load { .. } | O::F64Load { .. } | O::I32Load8S { .. } | O::I32Load8U { .. }
            | O::I32Load16S { .. } | O::I32Load16U { .. } | O::I64Load8S { .. } | O::I64Load8U { .. } | O::I64Load16S { .. }
            | O::I64Load16U { .. } | O::I64Load32S { .. } | O::I64Load32U { .. } | O::I32Store { .. } | O::I64Store { .. }
            | O::F32Store { .. } | O::F64Store { .. } | O::I32Store8 { .. } | O::I32Store16 { .. } | O::I64Store8 { .. }
            | O::I64Store16 { .. } | O::I64Store32 { .. } | O::V128Load { .. } | O::V128Load8x8S { .. } | O::V128Load8x8U { .. }
            | O::V128Load16x4S { .. } | O::V128Load16x4U { .. } | O::V128Load32x2S { .. } | O::V128Load32x2U { .. }
            | O::V128Load8Splat { .. } | O::V128Load16Splat { .. } | O::V128Load32Splat { .. } | O::V128Load64Splat { .. }
            | O::V128Load32Zero { .. } | O::V128Load64Zero { .. } | O::V128Store { .. } | O::V128Load8Lane { .. }
            | O::V128Load16Lane { .. } | O::V128Load32Lane { .. } | O::V128Load64Lane { .. } | O::V128Store8Lane { .. }
            | O::V128Store16Lane { .. } | O::V128Store32Lane { .. } | O::V128Store64Lane { .. }
    )
}
