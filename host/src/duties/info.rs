//! What the host shows of itself: a section of INFO per module, and the command `WASM.MODULES`.
//!
//! A field of a module has the module's name in its own, `wasm_<module>_<field>`, so that each is there once.
//! The names of the first release, `wasm_<field>`, stand beside them for one release more.

use std::ffi::c_int;
use std::time::UNIX_EPOCH;

use wasmtime::{AsContextMut, ExternType};

use crate::describe::description::Description;
use crate::describe::tell;
use crate::guest::call::{Lent, Phase};
use crate::guest::ids::MemberId;
use crate::guest::part::{Container, Reply};
use crate::guest::reply::Replies;
use crate::modules::link::Link;
use crate::modules::loaded::{self, Host};
use crate::modules::module::{LoadedModule, Running};
use crate::server::api::{Ctx, InfoCtx, Str};
use crate::server::context::Context;
use crate::server::guard::{answering, guarded};
use crate::server::info::Info;
use crate::server::{log, text};

/// Registers both.
///
/// # Errors
/// What the server refused.
pub fn register(host: &Host, ctx: Context<'_>) -> Result<(), String> {
    if !ctx.register_info(info) {
        return Err("the sections of INFO".into());
    }
    let description = Description::parse(MODULES.as_bytes(), false)?;
    if !ctx.create_command(c"wasm.modules", modules, c"readonly allow-loading allow-stale", (0, 0, 0))
        || tell::describe(ctx, c"wasm.modules", &["readonly"], 1, None, &description, &host.categories).is_err()
    {
        return Err("the command WASM.MODULES".into());
    }
    Ok(())
}

/// What COMMAND DOCS tells of the host's own command.
const MODULES: &str =
    "summary: Lists the loaded modules with their files and links\ncomplexity: O(exports and imports)\nsince: 0.1.0\nacl: read";

unsafe extern "C" fn info(ctx: *mut InfoCtx, for_crash_report: c_int) {
    // SAFETY: `ctx` is that of the running INFO.
    let info = unsafe { Info::new(ctx) };
    // In a crash report no module runs.
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        if info.section("") {
            info.text("release", RELEASE);
            let (kept_modules, kept_bytes) = host.kept.size();
            info.number(c"settings_undone", host.settings_undone.get());
            info.number(c"kept_modules", kept_modules);
            info.number(c"kept_bytes", kept_bytes);
            let [libraries, scripts] = [false, true].map(|of_scripts| host.libraries.sum(of_scripts));
            info.number(c"libraries", libraries.libraries as u64);
            info.number(c"library_functions", libraries.functions as u64);
            info.number(c"scripts", scripts.libraries as u64);
            info.number(c"library_memory", libraries.bytes + scripts.bytes);
        }
        for place in 0..host.modules.len() {
            section(host, MemberId(place), info, for_crash_report != 0);
        }
    });
}

fn section(host: &Host, member: MemberId, info: Info<'_>, crashed: bool) {
    let module = &host.modules[member.0];
    let group = &host.groups[module.group.get().0];
    let name = module.name();
    if !info.section(name) {
        return;
    }
    let told = |field: &str, value: &str| {
        info.text_of(name, field, value);
        info.text(field, value);
    };
    let running = module.running();
    info.text_of(name, "state", if running.is_some() { "serving" } else { "missing" });
    info.text_of(name, "missing_reason", &module.missing().unwrap_or_default());
    info.text_of(name, "sha256", running.as_ref().map_or("", |running| &running.file.hash));
    info.number_of(name, "since_ms", since_ms(module));
    info.number_of(name, "reloads", module.reloads.get());
    for (namespace, link) in running.iter().flat_map(|running| &running.links) {
        let (word, reason) = describe(host, link);
        told(&format!("link_{namespace}"), word);
        told(&format!("link_{namespace}_reason"), &reason);
    }
    if crashed {
        return;
    }
    let (reserved, free) = group.memory_bytes();
    let faults = &module.identity.faults;
    let number = |field: &str, value: u64| {
        info.number_of(name, field, value);
        info.number(&text::line(field.as_bytes()), value);
    };
    number("memory_reserved", reserved);
    number("memory_used", reserved.saturating_sub(free));
    number("memory_free", free);
    number("commands", host.commands_served(member));
    number("traps", faults.traps());
    number("timeouts", faults.timeouts());
    number("damaged", group.damaged.get().into());
    if running.is_some_and(|running| !running.file.triggers.is_none()) {
        let counts = &module.counts;
        info.number_of(name, "every_runs", counts.every_runs.get());
        info.number_of(name, "every_failed", counts.every_failed.get());
        info.number_of(name, "every_slow", counts.every_slow.get());
        info.number_of(name, "every_missed", counts.every_missed.get());
        info.number_of(name, "on_runs", counts.on_runs.get());
        info.number_of(name, "on_failed", counts.on_failed.get());
        info.number_of(name, "on_dropped", counts.on_dropped.get());
    }
    let Some(functions) = group.member(&module.identity) else { return };
    if let Some(fields) = &functions.info
        && !functions.info_back_off.lasts()
        && let Some(mut entered) = group.enter_with(Lent::info(info))
    {
        let result = entered.aside(Phase::Info, &functions.info_back_off, |store| fields.call(store.as_context_mut(), ()));
        if let Err(error) = result {
            // It costs its own fields alone.
            entered.fault(&module.identity, c"info", &error);
        }
    }
}

/// The release of this library.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Since when the module has been as it is, Unix ms.
fn since_ms(module: &LoadedModule) -> u64 {
    module.since.get().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A link in words: how it is resolved, and why.
fn describe(host: &Host, link: &Link) -> (&'static str, String) {
    match link {
        Link::Direct(provider) => ("direct", format!("linked to {}", host.modules[provider.0].name())),
        Link::Command(reason) => ("command", reason.clone()),
    }
}

/// `WASM.MODULES` → an array, a map per module: name, path, sha256, version (of the conventions), exports,
/// imports (each with how it is resolved), state, since (Unix ms), reloads, release (of the host). One that
/// is missing has no more than its name, its state with the reason, and since when.
unsafe extern "C" fn modules(ctx: *mut Ctx, _argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: the server calls with the context of a running command.
    let ctx = unsafe { Context::new(ctx) };
    answering(ctx, || list_modules(ctx, argc))
}

fn list_modules(ctx: Context<'_>, argc: c_int) {
    let Some(host) = loaded::get() else { return };
    let mut replies = Replies::default();
    if argc != 1 {
        return replies.send(ctx, Reply::WrongArity);
    }
    replies.open(ctx, Container::Array, host.modules.len() as i64);
    for module in host.modules.iter() {
        match module.running() {
            Some(running) => list_module(host, ctx, &mut replies, module, &running),
            None => {
                let reason = format!("missing: {}", module.missing().unwrap_or_default());
                replies.open(ctx, Container::Map, 3);
                texts(ctx, &mut replies, &[("name", module.name()), ("state", &reason)]);
                numbers(ctx, &mut replies, &[("since", since_ms(module))]);
            }
        }
    }
    replies.finish(ctx);
}

fn list_module(host: &Host, ctx: Context<'_>, replies: &mut Replies, module: &LoadedModule, running: &Running) {
    let file = &running.file;
    replies.open(ctx, Container::Map, 10);
    texts(ctx, replies, &[("name", &file.name), ("path", &file.path.to_string_lossy()), ("sha256", &file.hash)]);
    numbers(ctx, replies, &[("version", file.abi.unwrap_or(0).into())]);
    let exports = file.module.exports().filter(|export| matches!(export.ty(), ExternType::Func(_)));
    let exports = exports.map(|export| export.name().into()).collect();
    for (name, values) in [("exports", exports), ("imports", imports(host, running))] {
        replies.send(ctx, Reply::Bulk(name.as_bytes()));
        replies.open(ctx, Container::Array, values.len() as i64);
        for value in values {
            replies.send(ctx, Reply::Bulk(value.as_bytes()));
        }
    }
    texts(ctx, replies, &[("state", "serving")]);
    numbers(ctx, replies, &[("since", since_ms(module)), ("reloads", module.reloads.get())]);
    texts(ctx, replies, &[("release", RELEASE)]);
}

fn texts(ctx: Context<'_>, replies: &mut Replies, pairs: &[(&str, &str)]) {
    for (name, value) in pairs {
        replies.send(ctx, Reply::Bulk(name.as_bytes()));
        replies.send(ctx, Reply::Bulk(value.as_bytes()));
    }
}

fn numbers(ctx: Context<'_>, replies: &mut Replies, pairs: &[(&str, u64)]) {
    for (name, value) in pairs {
        replies.send(ctx, Reply::Bulk(name.as_bytes()));
        replies.send(ctx, Reply::Integer(value.cast_signed()));
    }
}

/// Every import with how it is resolved: `SPACE.name: direct, linked to <module>`.
fn imports(host: &Host, running: &Running) -> Vec<String> {
    let resolved = |namespace: &str| {
        let link = running.links.iter().find(|(linked, _)| linked == namespace);
        link.map_or_else(
            || "host".to_string(),
            |(_, link)| {
                let (word, reason) = describe(host, link);
                format!("{word}, {reason}")
            },
        )
    };
    running.file.module.imports().map(|import| format!("{}.{}: {}", import.module(), import.name(), resolved(import.module()))).collect()
}

/// The lines that tell, at load, how a module is linked.
pub fn log_links(host: &Host, ctx: Context<'_>, module: &LoadedModule) {
    let running = module.running();
    for (namespace, link) in running.iter().flat_map(|running| &running.links) {
        let (word, reason) = describe(host, link);
        let how = if word == "direct" { "directly" } else { "by command" };
        log::notice(Some(ctx), &format!("module {}: imports of {namespace} are resolved {how}: {reason}", module.name()));
    }
}
