//! A .wasm file before it runs: read, checked, compiled, and asked what it declares.
//!
//! What the links are decided on is all here: the commands that the module registers, the functions that it exports, the version
//! of its linking convention and the range of its static data.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;

use sha2::{Digest, Sha256};
use wasmparser::{DataKind, Operator, Parser, Payload, TypeRef};
use wasmtime::{Caller, Engine, Extern, ExternType, FuncType, Linker, Memory, MemoryType, Module, ResourceLimiter, Store};

use crate::api::{self, Ctx};
use crate::description::Description;
use crate::engine::TICK_MS;
use crate::group::TABLE_ELEMENTS_MAX;
use crate::{config, trap, weight};

/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// Commands that one module may register.
pub const COMMANDS_MAX: usize = 256;
/// Bytes of a page of linear memory.
pub const PAGE: u64 = 1 << 16;
/// The namespace of the host's own functions.
pub const HOST_NAMESPACE: &str = "redis";
/// The namespace that holds the memory alone.
pub const ENV_NAMESPACE: &str = "env";

/// A module that has been compiled and asked what it declares, but does not run yet.
pub struct WasmFile {
    /// The file's name without directory and `.wasm`: the module's name in logs and INFO.
    pub name: String,
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub hash: String,
    pub module: Module,
    /// The version of the linking convention: the exported global `abi`. A module without one links by command alone.
    pub abi: Option<u32>,
    /// The imported memory `env.memory`, if it has one.
    pub memory: Option<MemoryType>,
    /// The bytes of linear memory that the module's static data may take, when they can be told from the file.
    pub static_range: Option<(u64, u64)>,
    /// The commands that it registers, in lower case.
    pub commands: Vec<String>,
    /// What it says of them, by their names.
    pub descriptions: BTreeMap<String, Description>,
    /// Namespace → function name → type, of every import that is neither the host's nor the memory.
    pub imports: BTreeMap<String, BTreeMap<String, FuncType>>,
    /// Namespace → the file that ordinarily serves it, for the error message when nothing does.
    pub served_by: BTreeMap<String, String>,
    /// The module's numeric settings, by its own handle.
    pub settings: BTreeMap<i32, &'static AtomicI64>,
}

/// A .wasm file as it was read.
pub struct Source {
    /// The file's name without directory and `.wasm`.
    pub name: String,
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

impl Source {
    /// # Errors
    /// The reason why the file cannot be loaded; the caller names the file.
    pub fn read(path: &Path) -> Result<Source, String> {
        let bytes = read(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            return Err("a module's file name may hold letters, digits, - and _ alone".into());
        }
        Ok(Source { name, path: path.to_path_buf(), bytes })
    }

    /// Checks and compiles it: machine code as `Module::deserialize` takes it. May run on any thread.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn compile(&self, engine: &Engine) -> Result<Vec<u8>, String> {
        weight::check(&self.bytes)?;
        engine.precompile_module(&self.bytes).map_err(|error| trap::describe(&error))
    }
}

impl WasmFile {
    /// The file with its compiled module, checked, and not asked yet.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn new(source: Source, module: Module) -> Result<WasmFile, String> {
        let mut file = WasmFile {
            name: source.name,
            path: source.path,
            hash: Sha256::digest(&source.bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            abi: None,
            memory: None,
            static_range: None,
            commands: Vec::new(),
            descriptions: BTreeMap::new(),
            imports: BTreeMap::new(),
            served_by: BTreeMap::new(),
            settings: BTreeMap::new(),
            module,
        };
        file.check_imports()?;
        file.check_exports()?;
        file.static_range = file.memory.as_ref().and_then(|memory| static_range(&source.bytes, memory.minimum()));
        Ok(file)
    }

    fn check_imports(&mut self) -> Result<(), String> {
        for import in self.module.imports() {
            let (namespace, name) = (import.module(), import.name());
            match (namespace, import.ty()) {
                (ENV_NAMESPACE, ExternType::Memory(memory)) if name == "memory" => {
                    if memory.is_64() || memory.is_shared() {
                        return Err("it imports a 64-bit or shared memory".into());
                    }
                    self.memory = Some(memory);
                }
                (HOST_NAMESPACE, ExternType::Func(_)) => {}
                (ENV_NAMESPACE, _) => return Err(format!("it imports {namespace}.{name}: env holds the memory alone")),
                (_, ExternType::Func(function)) => {
                    self.imports.entry(namespace.into()).or_default().insert(name.into(), function);
                }
                _ => return Err(format!("it imports {namespace}.{name}, which is no function")),
            }
        }
        Ok(())
    }

    fn check_exports(&self) -> Result<(), String> {
        match self.module.get_export("onLoad") {
            Some(ExternType::Func(function)) if function.params().len() == 0 && is_i32(function.results()) => {}
            _ => return Err("it does not export onLoad(): i32".into()),
        }
        if self.memory.is_none() && !matches!(self.module.get_export("memory"), Some(ExternType::Memory(memory)) if !memory.is_64()) {
            return Err("it neither imports env.memory nor exports memory".into());
        }
        if !matches!(self.module.get_export("table"), Some(ExternType::Table(_))) {
            return Err("it does not export table".into());
        }
        Ok(())
    }

    /// Runs `settings()` and `onLoad()` in a scratch store, where declarations are noted down and every other import traps.
    ///
    /// # Errors
    /// As [`Source::read`].
    ///
    /// # Safety
    /// Called within `RedisModule_OnLoad`, with its context: the module's settings are registered on the way.
    pub unsafe fn ask(&mut self, ctx: *mut Ctx) -> Result<(), String> {
        let mut store = Store::new(self.module.engine(), Declared { memory: None, ctx, ..Declared::default() });
        store.limiter(|declared| &mut declared.limits);
        store.set_epoch_deadline(LOAD_MS / TICK_MS);
        let mut linker = Linker::new(self.module.engine());
        let result = (|| -> wasmtime::Result<i32> {
            if let Some(memory) = &self.memory {
                let memory = Memory::new(&mut store, memory.clone())?;
                store.data_mut().memory = Some(memory);
                linker.define(&store, ENV_NAMESPACE, "memory", memory)?;
            }
            declarations(&mut linker)?;
            linker.define_unknown_imports_as_traps(&self.module)?;
            let instance = linker.instantiate(&mut store, &self.module)?;
            if let Some(Extern::Memory(memory)) = instance.get_export(&mut store, "memory") {
                store.data_mut().memory.get_or_insert(memory);
            }
            if let Some(Extern::Global(abi)) = instance.get_export(&mut store, "abi") {
                self.abi = abi.get(&mut store).i32().map(|abi| abi as u32);
            }
            if let Ok(settings) = instance.get_typed_func::<(), ()>(&mut store, "settings") {
                store.data_mut().settings_allowed = true;
                settings.call(&mut store, ())?;
                store.data_mut().settings_allowed = false;
            }
            instance.get_typed_func::<(), i32>(&mut store, "onLoad")?.call(&mut store, ())
        })();
        match result {
            Ok(0) => {}
            Ok(code) => return Err(format!("its onLoad() answered {code}")),
            Err(error) => return Err(format!("its declarations failed: {}", trap::located(&error))),
        }
        let declared = store.into_data();
        self.commands = declared.commands.into_iter().map(|command| command.name).collect();
        self.descriptions = declared.descriptions;
        self.served_by = declared.served_by;
        self.settings = declared.settings;
        Ok(())
    }
}

/// Milliseconds of running that a module may take to declare itself, and to load, however low `wasm.time-limit` is.
pub const LOAD_MS: u64 = 2000;

/// Bytes that a module's memory may have while it declares itself, and so at first: no setting is known yet.
const DECLARE_MEMORY_MAX: usize = 64 << 20;
/// Bytes of a text by which it declares something: the description of a command is the longest.
const TEXT_MAX: u32 = 64 << 10;
/// Settings that one module may declare, and namespaces of which it may name the file that serves them.
const NAMES_MAX: usize = 256;

/// The limits of the scratch store.
struct ScratchLimits;

impl ResourceLimiter for ScratchLimits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if current == 0 && desired > DECLARE_MEMORY_MAX {
            let most = DECLARE_MEMORY_MAX >> 20;
            return Err(wasmtime::Error::msg(format!("its memory has {} MiB from the start, more than {most}", desired >> 20)));
        }
        Ok(desired <= DECLARE_MEMORY_MAX)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

/// What a module said in the scratch store.
struct Declared {
    ctx: *mut Ctx,
    memory: Option<Memory>,
    commands: Vec<DeclaredCommand>,
    descriptions: BTreeMap<String, Description>,
    served_by: BTreeMap<String, String>,
    settings: BTreeMap<i32, &'static AtomicI64>,
    settings_allowed: bool,
    settings_tried: usize,
    limits: ScratchLimits,
}

impl Default for Declared {
    fn default() -> Declared {
        Declared {
            ctx: std::ptr::null_mut(),
            memory: None,
            commands: Vec::new(),
            descriptions: BTreeMap::new(),
            served_by: BTreeMap::new(),
            settings: BTreeMap::new(),
            settings_allowed: false,
            settings_tried: 0,
            limits: ScratchLimits,
        }
    }
}

struct DeclaredCommand {
    /// In lower case.
    name: String,
    has_key: bool,
}

/// The text at (`pointer`, `length`) of the scratch memory.
fn text(caller: &Caller<'_, Declared>, pointer: u32, length: u32) -> wasmtime::Result<String> {
    let memory = caller.data().memory.ok_or_else(|| wasmtime::Error::msg("no memory yet"))?;
    let bytes = crate::memory::slice(memory.data(caller), pointer, length)?;
    check_length(length)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// # Errors
/// A text of more bytes than a declaration may have.
fn check_length(length: u32) -> wasmtime::Result<()> {
    if length > TEXT_MAX {
        return Err(wasmtime::Error::msg(format!("a declaration with a text of {length} bytes, more than {TEXT_MAX}")));
    }
    Ok(())
}

/// Whether there is room for one more name among so many.
fn check_room(count: usize, what: &str) -> wasmtime::Result<()> {
    if count >= NAMES_MAX {
        return Err(wasmtime::Error::msg(format!("more than {NAMES_MAX} {what}")));
    }
    Ok(())
}

/// The functions that a module may call while it declares itself.
fn declarations(linker: &mut Linker<Declared>) -> wasmtime::Result<()> {
    linker.func_wrap(
        HOST_NAMESPACE,
        "CreateCommand",
        |mut caller: Caller<'_, Declared>,
         name: u32,
         length: u32,
         _: i32,
         _: u32,
         _: u32,
         first: i32,
         _: i32,
         _: i32,
         _: i32|
         -> wasmtime::Result<i32> {
            let name = text(&caller, name, length)?.to_ascii_lowercase();
            let commands = &mut caller.data_mut().commands;
            if commands.len() == COMMANDS_MAX {
                return Err(wasmtime::Error::msg(format!("more than {COMMANDS_MAX} commands")));
            }
            if commands.iter().any(|command| command.name == name) {
                return Err(wasmtime::Error::msg(format!("the command {name} twice")));
            }
            commands.push(DeclaredCommand { name, has_key: first > 0 });
            Ok(0)
        },
    )?;
    linker.func_wrap(
        HOST_NAMESPACE,
        "SetCommandInfo",
        |mut caller: Caller<'_, Declared>, name: u32, name_length: u32, info: u32, length: u32| -> wasmtime::Result<i32> {
            let name = text(&caller, name, name_length)?.to_ascii_lowercase();
            let info = text(&caller, info, length)?;
            let declared = caller.data_mut();
            let Some(command) = declared.commands.iter().find(|command| command.name == name) else { return Ok(api::ERR) };
            let description = Description::parse(info.as_bytes(), command.has_key);
            let description = description.map_err(|reason| wasmtime::Error::msg(format!("the description of {name}: {reason}")))?;
            match declared.descriptions.insert(name, description) {
                None => Ok(api::OK),
                Some(_) => Ok(api::ERR),
            }
        },
    )?;
    linker.func_wrap(HOST_NAMESPACE, "CreateDataType", |_: u32, _: u32, _: i32| 0)?;
    linker.func_wrap(
        HOST_NAMESPACE,
        "ServedBy",
        |mut caller: Caller<'_, Declared>, namespace: u32, namespace_length: u32, file: u32, file_length: u32| -> wasmtime::Result<()> {
            let namespace = text(&caller, namespace, namespace_length)?;
            let file = text(&caller, file, file_length)?;
            check_room(caller.data().served_by.len(), "namespaces that are served by files")?;
            caller.data_mut().served_by.insert(namespace, file);
            Ok(())
        },
    )?;
    linker.func_wrap(
        HOST_NAMESPACE,
        "RegisterNumericConfig",
        |mut caller: Caller<'_, Declared>,
         name: u32,
         length: u32,
         default: i64,
         flags: u32,
         min: i64,
         max: i64,
         handle: i32|
         -> wasmtime::Result<i32> {
            let name = text(&caller, name, length)?;
            let declared = caller.data_mut();
            if !declared.settings_allowed {
                return Err(wasmtime::Error::msg("a setting outside settings()"));
            }
            declared.settings_tried += 1;
            check_room(declared.settings_tried - 1, "settings")?;
            // SAFETY: the scratch store runs within RedisModule_OnLoad, whose context this is.
            match unsafe { config::register_guest(declared.ctx, &name, default, flags, min, max) } {
                Ok(cell) => {
                    declared.settings.insert(handle, cell);
                    Ok(api::OK)
                }
                // settings() answers nothing, so a refusal that it does not look at would be a setting that is not there.
                Err(setting) => Err(wasmtime::Error::msg(format!("the server refused {setting}: is it taken?"))),
            }
        },
    )?;
    Ok(())
}

fn is_i32(mut results: impl ExactSizeIterator<Item = wasmtime::ValType>) -> bool {
    results.len() == 1 && results.next().is_some_and(|result| result.is_i32())
}

/// The contents of the file, which does not keep the server waiting as a pipe or a device could.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no regular file".into());
    }
    let size = metadata.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("it has {size} bytes, more than {FILE_BYTES_MAX}"));
    }
    let mut bytes = Vec::new();
    // No more than was told, though it may grow meanwhile.
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(size).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Where a module's static data may lie: from its lowest active segment to the end of the pages that it imports. `None` when an offset is
/// not a constant, and so cannot be told before the module runs.
fn static_range(bytes: &[u8], pages: u64) -> Option<(u64, u64)> {
    let mut lowest = u64::MAX;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::DataSection(section) => {
                for data in section {
                    let DataKind::Active { offset_expr, .. } = data.ok()?.kind else { continue };
                    match offset_expr.get_operators_reader().read().ok()? {
                        Operator::I32Const { value } => lowest = lowest.min(u64::from(value as u32)),
                        _ => return None,
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Global(_) = import.ok()?.ty {
                        return None;
                    }
                }
            }
            _ => {}
        }
    }
    let end = pages * PAGE;
    Some((lowest.min(end), end))
}
