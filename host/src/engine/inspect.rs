//! What compilers of other languages leave in a file that the host must know: the pointer of the stack that
//! they keep in linear memory, and whether the code takes memory by itself.

use std::ops::Range;

use wasmparser::{ExternalKind, GlobalSectionReader, KnownCustom, Name, Operator, Parser, Payload, Result, TypeRef, ValType};

/// The name by which compilers know the pointer of their stack, and by which the host exports it.
pub const STACK_POINTER: &str = "__stack_pointer";
/// How the name ends where a compiler puts the source file before it.
const STACK_POINTER_END: &str = "/__stack_pointer";
/// What the stack pointer is always a multiple of: by LLVM, and by the AssemblyScript compiler.
const LLVM_STEP: i32 = 16;
const ASC_STEP: i32 = 4;

/// What was found in one file.
#[derive(Debug, Default, PartialEq)]
pub struct Inspected {
    /// The stack pointer, a mutable global of type i32, and what it begins with where that is a constant.
    pub stack_pointer: Option<(u32, Option<u32>)>,
    /// Whether the module exports it.
    is_exported: bool,
    /// Whether the code asks how large the memory is, or grows it.
    pub takes_memory: bool,
    /// Where the entries of the export section are, how many, and where the section begins with its head.
    exports: Option<(Range<usize>, u32, usize)>,
}

/// Reads a file, which need not be valid: what cannot be read is not there, and compiling it tells why.
///
/// # Errors
/// The stack pointer cannot be told from other globals, or what is exported as such is none.
pub fn inspect(bytes: &[u8]) -> std::result::Result<Inspected, String> {
    let mut file = File::default();
    if file.read(bytes).is_err() {
        return Ok(Inspected::default());
    }
    let stack_pointer = file.stack_pointer()?;
    Ok(Inspected {
        stack_pointer: stack_pointer.and_then(|index| Some((index, file.globals.get(index as usize)?.first))),
        is_exported: file.exported.iter().any(|(name, _)| *name == STACK_POINTER),
        takes_memory: file.takes_memory,
        exports: file.exports,
    })
}

impl Inspected {
    /// The file with its stack pointer among the exports, as [`STACK_POINTER`]: a global that is not exported
    /// cannot be reached from outside.
    pub fn exporting<'a>(&self, bytes: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let (Some((index, _)), Some((entries, count, head))) = (self.stack_pointer, &self.exports) else { return bytes.into() };
        if self.is_exported {
            return bytes.into();
        }
        let mut section = Vec::new();
        leb(count + 1, &mut section);
        section.extend_from_slice(&bytes[entries.clone()]);
        leb(STACK_POINTER.len() as u32, &mut section);
        section.extend_from_slice(STACK_POINTER.as_bytes());
        section.push(EXPORT_GLOBAL);
        leb(index, &mut section);
        let mut changed = bytes[..*head].to_vec();
        changed.push(EXPORT_SECTION);
        leb(section.len() as u32, &mut changed);
        changed.extend_from_slice(&section);
        changed.extend_from_slice(&bytes[entries.end..]);
        changed.into()
    }
}

/// Of the binary format: the number of the export section, and of a global in it.
const EXPORT_SECTION: u8 = 7;
const EXPORT_GLOBAL: u8 = 3;

/// Appends `value` in LEB128.
fn leb(mut value: u32, to: &mut Vec<u8>) {
    while value >= 1 << 7 {
        to.push(value as u8 | 1 << 7);
        value >>= 7;
    }
    to.push(value as u8);
}

/// A global, and how the code moves it.
#[derive(Default, Clone)]
struct Global {
    /// Whether it is a mutable i32 of the module's own.
    is_candidate: bool,
    first: Option<u32>,
    /// Moved down, and up again, as LLVM does it.
    llvm: (bool, bool),
    /// As the AssemblyScript compiler does it, which then compares it with the end of the stack.
    asc: (bool, bool, bool),
}

impl Global {
    fn moves_as_stack(&self) -> bool {
        let is_multiple = |step: i32| self.first.is_some_and(|first| first.cast_signed() >= step && first % step.unsigned_abs() == 0);
        self.is_candidate
            && (self.llvm == (true, true) && is_multiple(LLVM_STEP) || self.asc == (true, true, true) && is_multiple(ASC_STEP))
    }
}

#[derive(Default)]
struct File<'a> {
    globals: Vec<Global>,
    exported: Vec<(&'a str, Option<u32>)>,
    /// Whether the file names globals, and the one that is named as a stack pointer is.
    has_names: bool,
    named: Option<u32>,
    takes_memory: bool,
    exports: Option<(Range<usize>, u32, usize)>,
}

impl<'a> File<'a> {
    fn read(&mut self, bytes: &'a [u8]) -> Result<()> {
        // Where the last section has ended, so where the next begins with its head.
        let mut end = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            let next = payload.as_section().map(|(_, range)| range.end);
            match payload {
                Payload::Version { range, .. } => end = range.end,
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if let TypeRef::Global(_) = import?.ty {
                            self.globals.push(Global::default());
                        }
                    }
                }
                Payload::GlobalSection(section) => self.read_globals(section)?,
                Payload::ExportSection(section) => {
                    self.exports = Some((section.original_position()..section.range().end, section.count(), end));
                    for export in section {
                        let export = export?;
                        self.exported.push((export.name, (export.kind == ExternalKind::Global).then_some(export.index)));
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let mut last = Window::default();
                    let mut operators = body.get_operators_reader()?;
                    while !operators.eof() {
                        let operator = operators.read()?;
                        self.takes_memory |= matches!(operator, Operator::MemorySize { .. } | Operator::MemoryGrow { .. });
                        last.push(operator);
                        self.note(&last);
                    }
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        // Names that cannot be read are none: nothing depends on them but this.
                        for name in names.into_iter().map_while(Result::ok) {
                            self.read_names(name);
                        }
                    }
                }
                _ => {}
            }
            end = next.unwrap_or(end);
        }
        Ok(())
    }

    fn read_globals(&mut self, section: GlobalSectionReader<'a>) -> Result<()> {
        for global in section {
            let global = global?;
            let mut operators = global.init_expr.get_operators_reader();
            let first = match (operators.read()?, operators.read()?) {
                (Operator::I32Const { value }, Operator::End) => Some(value.cast_unsigned()),
                _ => None,
            };
            let is_candidate = global.ty.mutable && global.ty.content_type == ValType::I32;
            self.globals.push(Global { is_candidate, first, ..Global::default() });
        }
        Ok(())
    }

    fn read_names(&mut self, name: Name<'_>) {
        if let Name::Global(names) = name {
            for name in names.into_iter().map_while(Result::ok) {
                self.has_names = true;
                if name.name == STACK_POINTER || name.name.ends_with(STACK_POINTER_END) {
                    self.named = Some(name.index);
                }
            }
        }
    }

    /// Notes what the last instructions do with a global.
    fn note(&mut self, last: &Window<'_>) {
        use Operator as O;
        match &last.0 {
            [O::GlobalGet { global_index: from }, O::I32Const { value }, step, O::LocalTee { .. }, O::GlobalSet { global_index: to }]
                if from == to =>
            {
                self.move_global(*to, step, *value, |global, by| global.llvm.0 |= by < 0 && by % LLVM_STEP == 0);
            }
            [_, O::LocalGet { .. }, O::I32Const { value }, step, O::GlobalSet { global_index: to }] => {
                self.move_global(*to, step, *value, |global, by| global.llvm.1 |= by > 0 && by % LLVM_STEP == 0);
            }
            [_, O::GlobalGet { global_index: from }, O::I32Const { value }, step, O::GlobalSet { global_index: to }] if from == to => {
                self.move_global(*to, step, *value, |global, by| {
                    global.asc.0 |= by < 0 && by % ASC_STEP == 0;
                    global.asc.1 |= by > 0 && by % ASC_STEP == 0;
                });
            }
            [.., O::GlobalGet { global_index }, end, O::I32LtS] => {
                let end = match end {
                    O::I32Const { value } => Some(value.cast_unsigned()),
                    O::GlobalGet { global_index } => self.globals.get(*global_index as usize).and_then(|global| global.first),
                    _ => None,
                };
                if let (Some(end), Some(global)) = (end, self.globals.get_mut(*global_index as usize)) {
                    global.asc.2 |= end > 0 && global.first.is_some_and(|first| first > end);
                }
            }
            _ => {}
        }
    }

    /// Notes that a global is moved by an addition or a subtraction of a constant.
    fn move_global(&mut self, index: u32, step: &Operator<'_>, value: i32, note: impl FnOnce(&mut Global, i32)) {
        let by = match step {
            Operator::I32Add => Some(value),
            Operator::I32Sub => value.checked_neg(),
            _ => None,
        };
        if let (Some(by), Some(global)) = (by, self.globals.get_mut(index as usize)) {
            note(global, by);
        }
    }

    /// The stack pointer: what is exported or named so, or what moves so where nothing is named.
    fn stack_pointer(&self) -> std::result::Result<Option<u32>, String> {
        let is_candidate = |index: u32| self.globals.get(index as usize).is_some_and(|global| global.is_candidate);
        if let Some((_, index)) = self.exported.iter().find(|(name, _)| *name == STACK_POINTER) {
            return match index {
                Some(index) if is_candidate(*index) => Ok(Some(*index)),
                _ => Err(format!("its export {STACK_POINTER} is no mutable i32")),
            };
        }
        if self.has_names {
            return Ok(self.named.filter(|&index| is_candidate(index)));
        }
        let is_exported = |index: u32| self.exported.iter().any(|(_, exported)| *exported == Some(index));
        let moving = (0..self.globals.len() as u32).filter(|&index| self.globals[index as usize].moves_as_stack() && !is_exported(index));
        match moving.collect::<Vec<u32>>()[..] {
            [] => Ok(None),
            [index] => Ok(Some(index)),
            _ => Err(format!(
                "which of its globals is the stack pointer cannot be told: export it as {STACK_POINTER}, or leave the file its names"
            )),
        }
    }
}

/// The last instructions of a function, the newest last.
struct Window<'a>([Operator<'a>; 5]);

impl Default for Window<'_> {
    fn default() -> Self {
        Window([const { Operator::Nop }; 5])
    }
}

impl<'a> Window<'a> {
    fn push(&mut self, operator: Operator<'a>) {
        self.0.rotate_left(1);
        self.0[4] = operator;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        let mut section = vec![id];
        leb(body.len() as u32, &mut section);
        section.extend_from_slice(body);
        section
    }

    /// A file with two mutable globals of type i32, one that is exported under `name`, a function of these
    /// instructions, and with the second global named so if it is.
    fn file(name: &str, code: &[u8], named: Option<&str>) -> Vec<u8> {
        let global = [0x7f, 1, 0x41, 0x80, 0x80, 4, 0x0b]; // i32, mutable, 65536
        let body = [&[1, 1, 0x7f], code, &[0x0b]].concat(); // one group of one local, an i32
        let exports = [&[1, name.len() as u8][..], name.as_bytes(), &[EXPORT_GLOBAL, 0]].concat();
        let names = named.map_or_else(Vec::new, |named| {
            let map = [&[1, 1, named.len() as u8][..], named.as_bytes()].concat();
            section(0, &[&[4][..], b"name", &section(7, &map)].concat())
        });
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &[1, 0x60, 0, 0]),
            section(3, &[1, 0]),
            section(6, &[&[2][..], &global, &global].concat()),
            section(EXPORT_SECTION, &exports),
            section(10, &[&[1, body.len() as u8][..], &body].concat()),
            names,
        ]
        .concat()
    }

    /// `local = global[1] -= 32; global[1] = local + 32`, as LLVM has it.
    const AS_LLVM: [u8; 14] = [0x23, 1, 0x41, 32, 0x6b, 0x22, 0, 0x24, 1, 0x20, 0, 0x41, 32, 0x6a];
    const SET: [u8; 2] = [0x24, 1];

    fn pointer(bytes: &[u8]) -> Option<u32> {
        inspect(bytes).unwrap().stack_pointer.map(|(index, first)| {
            assert_eq!(first, Some(65536));
            index
        })
    }

    #[test]
    fn the_stack_pointer_is_found() {
        let moves = [&AS_LLVM[..], &SET].concat();
        assert_eq!(pointer(&file("other", &[], None)), None);
        assert_eq!(pointer(&file("other", &[], Some(STACK_POINTER))), Some(1));
        assert_eq!(pointer(&file("other", &[], Some("~lib/memory/__stack_pointer"))), Some(1));
        assert_eq!(pointer(&file("other", &moves, None)), Some(1));
        // What has names has no other stack pointer than the one that is named so.
        assert_eq!(pointer(&file("other", &moves, Some("depth"))), None);
        assert_eq!(pointer(&file(STACK_POINTER, &moves, None)), Some(0));
        assert_eq!(inspect(b"no module"), Ok(Inspected::default()));
    }

    #[test]
    fn it_is_exported_once() {
        let bytes = file("other", &[], Some(STACK_POINTER));
        let changed = inspect(&bytes).unwrap().exporting(&bytes).into_owned();
        let mut found = File::default();
        found.read(&changed).unwrap();
        assert_eq!(found.exported, [("other", Some(0)), (STACK_POINTER, Some(1))]);
        assert_eq!(inspect(&changed).unwrap().exporting(&changed), changed);
        let none = file("other", &[], None);
        assert_eq!(inspect(&none).unwrap().exporting(&none), none);
    }

    #[test]
    fn code_that_takes_memory_is_told() {
        assert!(!inspect(&file("other", &[], None)).unwrap().takes_memory);
        assert!(inspect(&file("other", &[0x3f, 0, 0x1a], None)).unwrap().takes_memory);
        assert!(inspect(&file("other", &[0x41, 1, 0x40, 0, 0x1a], None)).unwrap().takes_memory);
    }
}
