//! What a module declares: its commands, what it says of them, its settings. It is asked in a scratch store,
//! before anything is decided.

use std::collections::BTreeMap;
use std::ffi::{CString, c_int};
use std::sync::atomic::AtomicI64;

use wasmtime::{Caller, Error, Extern, Instance, Linker, Memory, ResourceLimiter, Result, Store};

use super::file::WasmFile;
use super::loaded::TYPES_MAX;
use super::namespace::{self, COMMANDS_MAX, ENV_NAMESPACE, HOST_NAMESPACE as NS};
use super::triggers::Declared as Triggers;
use crate::describe::declaration::Declaration;
use crate::describe::description::Description;
use crate::engine::weight::TABLE_ELEMENTS_MAX;
use crate::engine::{clock, trap};
use crate::guest::{abort, memory};
use crate::server::context::Context;
use crate::server::kit_settings::{self, KitSetting};
use crate::server::text::line;
use crate::server::{api, config};

type Guest<'a> = Caller<'a, Declared>;

impl WasmFile {
    /// Runs `settings()` and `onLoad()` in a scratch store, where declarations are noted down and every other
    /// import traps.
    ///
    /// # Errors
    /// As [`Source::read`](crate::engine::source::Source::read).
    pub fn ask(&mut self, ctx: Context<'_>, asking: Asking) -> std::result::Result<(), String> {
        // SAFETY: the store that keeps it is dropped when this function returns.
        let ctx = unsafe { ctx.forever() };
        let mut store = Store::new(self.module.engine(), Declared::new(ctx, asking));
        store.limiter(|declared| &mut declared.limits);
        store.set_epoch_deadline(clock::ticks_of_declaring());
        let mut linker = Linker::new(self.module.engine());
        let result = (|| -> Result<i32> {
            if let Some(memory) = &self.memory {
                let memory = Memory::new(&mut store, memory.clone())?;
                store.data_mut().memory = Some(memory);
                linker.define(&store, ENV_NAMESPACE, "memory", memory)?;
            }
            declarations(&mut linker)?;
            abort::define(&mut linker, ENV_NAMESPACE, |declared| declared.memory)?;
            linker.define_unknown_imports_as_traps(&self.module)?;
            let instance = linker.instantiate(&mut store, &self.module)?;
            if let Some(Extern::Memory(memory)) = instance.get_export(&mut store, "memory") {
                store.data_mut().memory.get_or_insert(memory);
            }
            self.abi = abi(&mut store, &instance)?;
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
        self.check_heap()?;
        let declared = store.into_data();
        self.commands = declared.commands.into_iter().map(|command| command.name).collect();
        self.descriptions = declared.descriptions;
        self.served_by = declared.served_by;
        self.types = declared.types;
        self.settings = declared.settings;
        self.triggers = declared.triggers;
        self.declared_settings = declared.kit_settings;
        kit_settings::check(&self.name, &self.declared_settings)?;
        Ok(())
    }
}

/// What its export `abi` tells: a global, or a function, as C and Rust have it.
fn abi(store: &mut Store<Declared>, instance: &Instance) -> Result<Option<u32>> {
    let abi = match instance.get_export(&mut *store, "abi") {
        None => return Ok(None),
        Some(Extern::Global(abi)) => abi.get(&mut *store).i32().map(i32::cast_unsigned),
        Some(Extern::Func(abi)) => match abi.typed::<(), u32>(&*store) {
            Ok(abi) => Some(abi.call(&mut *store, ())?),
            Err(_) => None,
        },
        Some(_) => None,
    };
    abi.map(Some).ok_or_else(|| Error::msg("its export abi is neither an i32 nor a function that answers one"))
}

/// Bytes that a module's memory may have while it declares itself, and so at first: no setting is known yet.
const DECLARE_MEMORY_MAX: usize = 64 << 20;
/// Bytes of a text by which it declares something: the description of a command is the longest.
const TEXT_MAX: u32 = 64 << 10;
/// Settings that one module may declare, and namespaces of which it may name the file that serves them.
const NAMES_MAX: usize = 256;

/// The limits of the scratch store.
struct ScratchLimits;

impl ResourceLimiter for ScratchLimits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        if current == 0 && desired > DECLARE_MEMORY_MAX {
            let most = DECLARE_MEMORY_MAX >> 20;
            return Err(Error::msg(format!("its memory has {} MiB from the start, more than {most}", desired >> 20)));
        }
        Ok(desired <= DECLARE_MEMORY_MAX)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

/// When a module is asked what it declares.
#[derive(Clone, Copy, PartialEq)]
pub enum Asking {
    /// Before the server has read the values of settings: new ones may be declared.
    AtStart,
    Later,
}

/// What a module said in the scratch store.
struct Declared {
    ctx: Context<'static>,
    asking: Asking,
    memory: Option<Memory>,
    commands: Vec<DeclaredCommand>,
    descriptions: BTreeMap<String, Description>,
    served_by: BTreeMap<String, String>,
    types: Vec<(CString, c_int)>,
    triggers: Triggers,
    settings: BTreeMap<i32, &'static AtomicI64>,
    kit_settings: Vec<(i32, KitSetting)>,
    settings_allowed: bool,
    settings_tried: usize,
    limits: ScratchLimits,
}

impl Declared {
    fn new(ctx: Context<'static>, asking: Asking) -> Declared {
        Declared {
            ctx,
            asking,
            memory: None,
            commands: Vec::new(),
            descriptions: BTreeMap::new(),
            served_by: BTreeMap::new(),
            types: Vec::new(),
            triggers: Triggers::default(),
            settings: BTreeMap::new(),
            kit_settings: Vec::new(),
            settings_allowed: false,
            settings_tried: 0,
            limits: ScratchLimits,
        }
    }

    /// Notes a command down.
    fn add(&mut self, name: String, has_key: bool) -> Result<()> {
        if self.commands.len() == COMMANDS_MAX {
            return Err(Error::msg(format!("more than {COMMANDS_MAX} commands")));
        }
        if self.commands.iter().any(|command| command.name == name) {
            return Err(Error::msg(format!("the command {name} twice")));
        }
        self.commands.push(DeclaredCommand { name, has_key });
        Ok(())
    }

    /// Counts one more setting, where it may be declared.
    fn begin_setting(&mut self) -> Result<()> {
        if !self.settings_allowed {
            return Err(Error::msg("a setting outside settings()"));
        }
        self.settings_tried += 1;
        check_room(self.settings_tried - 1, "settings")
    }
}

struct DeclaredCommand {
    /// In lower case.
    name: String,
    has_key: bool,
}

/// The text at (`pointer`, `length`) of the scratch memory.
fn text(caller: &Guest<'_>, pointer: u32, length: u32) -> Result<String> {
    let memory = caller.data().memory.ok_or_else(|| Error::msg("no memory yet"))?;
    let bytes = memory::slice(memory.data(caller), pointer, length)?;
    check_length(length)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// # Errors
/// A text of more bytes than a declaration may have.
fn check_length(length: u32) -> Result<()> {
    if length > TEXT_MAX {
        return Err(Error::msg(format!("a declaration with a text of {length} bytes, more than {TEXT_MAX}")));
    }
    Ok(())
}

/// Whether there is room for one more name among so many.
fn check_room(count: usize, what: &str) -> Result<()> {
    if count >= NAMES_MAX {
        return Err(Error::msg(format!("more than {NAMES_MAX} {what}")));
    }
    Ok(())
}

/// The functions that a module may call while it declares itself.
fn declarations(linker: &mut Linker<Declared>) -> Result<()> {
    commands(linker)?;
    linker.func_wrap(NS, namespace::CREATE_DATA_TYPE.name, |mut guest: Guest<'_>, name: u32, length: u32, version: i32| {
        // What is wrong with it is told where it is registered.
        let memory = guest.data().memory;
        let name = memory.and_then(|memory| memory::slice(memory.data(&guest), name, length).ok().map(line));
        let types = &mut guest.data_mut().types;
        if let Some(name) = name.filter(|_| types.len() < TYPES_MAX) {
            types.push((name, version));
        }
        api::OK
    })?;
    linker.func_wrap(NS, namespace::FAIL.name, |guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        let reason = text(&guest, pointer, length)?.replace(|character: char| character.is_control(), " ");
        Err(Error::msg(format!("it failed: {reason}")))
    })?;
    linker.func_wrap(
        NS,
        namespace::SERVED_BY.name,
        |mut guest: Guest<'_>, space: u32, space_length: u32, file: u32, file_length: u32| {
            let space = text(&guest, space, space_length)?;
            let file = text(&guest, file, file_length)?;
            check_room(guest.data().served_by.len(), "namespaces that are served by files")?;
            guest.data_mut().served_by.insert(space, file);
            Result::<()>::Ok(())
        },
    )?;
    triggers(linker)?;
    settings(linker)
}

fn triggers(linker: &mut Linker<Declared>) -> Result<()> {
    linker.func_wrap(NS, namespace::EVERY.name, |mut guest: Guest<'_>, ms: i64, _: i32| {
        guest.data_mut().triggers.add_every(ms).map_err(Error::msg)
    })?;
    linker.func_wrap(
        NS,
        namespace::ON.name,
        |mut guest: Guest<'_>, event: u32, event_length: u32, pattern: u32, length: u32, _: i32| -> Result<()> {
            let memory = guest.data().memory.ok_or_else(|| Error::msg("no memory yet"))?;
            let (all, declared) = memory.data_and_store_mut(&mut guest);
            let (event, pattern) = (memory::slice(all, event, event_length)?, memory::slice(all, pattern, length)?);
            declared.triggers.add_on(event, pattern).map_err(Error::msg)
        },
    )?;
    Ok(())
}

fn commands(linker: &mut Linker<Declared>) -> Result<()> {
    linker.func_wrap(NS, namespace::ADD_COMMAND.name, |mut guest: Guest<'_>, pointer: u32, length: u32, _: i32| -> Result<i32> {
        let text = text(&guest, pointer, length)?;
        let (declaration, description) =
            Declaration::parse(text.as_bytes()).map_err(|reason| Error::msg(format!("the text of a command: {reason}")))?;
        let name = declaration.name.to_string_lossy().to_ascii_lowercase();
        let declared = guest.data_mut();
        declared.add(name.clone(), declaration.keys.0 > 0)?;
        declared.descriptions.insert(name, description);
        Ok(api::OK)
    })?;
    linker.func_wrap(
        NS,
        namespace::CREATE_COMMAND.name,
        |mut guest: Guest<'_>, name: u32, length: u32, _: i32, _: u32, _: u32, first: i32, _: i32, _: i32, _: i32| -> Result<i32> {
            let name = text(&guest, name, length)?.to_ascii_lowercase();
            guest.data_mut().add(name, first > 0)?;
            Ok(api::OK)
        },
    )?;
    linker.func_wrap(
        NS,
        namespace::SET_COMMAND_INFO.name,
        |mut guest: Guest<'_>, name: u32, name_length: u32, info: u32, length: u32| -> Result<i32> {
            let name = text(&guest, name, name_length)?.to_ascii_lowercase();
            let info = text(&guest, info, length)?;
            let declared = guest.data_mut();
            let Some(command) = declared.commands.iter().find(|command| command.name == name) else { return Ok(api::ERR) };
            let description = Description::parse(info.as_bytes(), command.has_key);
            let description = description.map_err(|reason| Error::msg(format!("the description of {name}: {reason}")))?;
            match declared.descriptions.insert(name, description) {
                None => Ok(api::OK),
                Some(_) => Ok(api::ERR),
            }
        },
    )?;
    Ok(())
}

fn settings(linker: &mut Linker<Declared>) -> Result<()> {
    linker.func_wrap(
        NS,
        namespace::REGISTER_NUMERIC_CONFIG.name,
        |mut guest: Guest<'_>, name: u32, length: u32, default: i64, flags: u32, min: i64, max: i64, handle: i32| -> Result<i32> {
            let name = text(&guest, name, length)?;
            let declared = guest.data_mut();
            declared.begin_setting()?;
            let cell = match declared.asking {
                Asking::AtStart => config::register_guest(declared.ctx, &name, default, flags, min, max),
                Asking::Later => config::registered(&name).ok_or_else(|| {
                    let setting = format!("setting wasm.{name}");
                    format!("{setting} while it serves: the module has to be given as an argument at a start")
                }),
            };
            match cell {
                Ok(cell) => {
                    declared.settings.insert(handle, cell);
                    Ok(api::OK)
                }
                // settings() answers nothing, so a refusal that it does not look at would be a setting that
                // is not there.
                Err(setting) if declared.asking == Asking::AtStart => {
                    Err(Error::msg(format!("the server refused {setting}: is it taken?")))
                }
                Err(setting) => Err(Error::msg(format!("the server takes no {setting}"))),
            }
        },
    )?;
    linker.func_wrap(
        NS,
        namespace::REGISTER_SETTING.name,
        |mut guest: Guest<'_>, name: u32, length: u32, default: i64, min: i64, max: i64, handle: i32| -> Result<i32> {
            let name = text(&guest, name, length)?;
            let declared = guest.data_mut();
            declared.begin_setting()?;
            declared.kit_settings.push((handle, KitSetting { name, default, min, max }));
            Ok(api::OK)
        },
    )?;
    Ok(())
}
