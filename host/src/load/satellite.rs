//! New commands while the server serves. A server takes commands of a module while it loads that one alone
//! (Redis 8, Valkey). So it loads this library once more, as another module of the server, which registers
//! them: a satellite. It holds nothing else, and is never unloaded.

use std::cell::Cell;
use std::ffi::{CString, c_int};

use super::instantiate::Registered;
use super::unload;
use crate::calls::register;
use crate::describe::declaration::Declaration;
use crate::engine::library;
use crate::guest::ids::MemberId;
use crate::guest::state::Handler;
use crate::modules::loaded::{self, Host};
use crate::server::context::Context;
use crate::server::register::is_module_loaded;
use crate::server::strings::{Arguments, Strings};
use crate::server::{api, log};
use crate::slots;

/// The first argument of a satellite; the second one is its name.
const MARK: &[u8] = b"--live";
/// Names that are tried for one.
const NAMES_MAX: u32 = 10_000;

/// What the satellite that is being loaded is to register.
struct Pending {
    member: MemberId,
    commands: Vec<(Declaration, Handler)>,
    refused: Option<String>,
}

struct Static(Cell<Option<Pending>>);

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Static {}

static PENDING: Static = Static(Cell::new(None));

/// Has the server know these commands of a module, which no slot has yet.
///
/// # Errors
/// The server refuses; it knows none of them then.
pub fn register(host: &Host, ctx: Context<'_>, member: MemberId, commands: &[&Registered]) -> Result<(), String> {
    if commands.is_empty() {
        return Ok(());
    }
    let module = host.modules[member.0].name();
    let names = (1..NAMES_MAX).map(|number| if number == 1 { format!("wasm:{module}") } else { format!("wasm:{module}:{number}") });
    let is_free = |name: &String| CString::new(name.as_str()).is_ok_and(|name| !is_module_loaded(&name));
    let name = names.into_iter().find(is_free).ok_or("no name is free for its commands")?;
    let library = library::path();
    let commands = commands.iter().map(|each| (each.declaration.clone(), each.handler.clone())).collect();
    PENDING.0.set(Some(Pending { member, commands, refused: None }));
    let words = [&b"LOAD"[..], library.as_os_str().as_encoded_bytes(), MARK, name.as_bytes()];
    let answer = ctx.call(c"MODULE", &Strings::new(words));
    let refused = PENDING.0.take().and_then(|pending| pending.refused);
    unload::refuse();
    match (answer, refused) {
        (Ok(answer), None) if !answer.is_error() => Ok(()),
        (_, Some(refused)) => Err(format!("the server refused {refused}")),
        (Ok(answer), None) => Err(format!("the server refused its commands: {}", answer.shown())),
        (Err(errno), None) => Err(format!("the server refused its commands: {}", std::io::Error::from_raw_os_error(errno))),
    }
}

/// Whether these are the arguments of a satellite.
pub fn is_one(arguments: Arguments<'_>) -> bool {
    arguments.count() == 2 && arguments.get(0).bytes() == MARK
}

/// What a satellite does when it is loaded. One that a rewritten redis.conf lists has nothing to register:
/// modules are loaded by the host itself.
pub fn on_load(ctx: Context<'_>, arguments: Arguments<'_>) -> c_int {
    let name = CString::new(arguments.get(1).bytes()).unwrap_or_default();
    if is_module_loaded(&name) {
        log::warning(Some(ctx), &format!("a module named {} is loaded already", name.to_string_lossy()));
        return api::ERR;
    }
    ctx.name_module(&name, 1);
    // The server asks all of its modules, whatever they hold.
    slots::set_options(ctx);
    let (Some(host), Some(mut pending)) = (loaded::get(), PENDING.0.take()) else { return api::OK };
    let first = host.slots.len();
    for (declaration, handler) in &pending.commands {
        if let Err(refused) = register::register(host, ctx, pending.member, handler.clone(), declaration) {
            // The server forgets them all.
            // SAFETY: no command has come by them, and nothing else has been lent them.
            (first..host.slots.len()).for_each(|_| unsafe { host.slots.pop() });
            pending.refused = Some(refused);
            PENDING.0.set(Some(pending));
            return api::ERR;
        }
    }
    api::OK
}
