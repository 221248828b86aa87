//! What the host shows of itself: a section of INFO per module, and the command `WASM.MODULES`.

use std::ffi::{CStr, c_int};

use wasmtime::{AsContextMut, ExternType};

use crate::abi::MemberId;
use crate::api::{self, Ctx, InfoCtx, Str};
use crate::command::{self, fault};
use crate::description::Description;
use crate::group::Phase;
use crate::host::{self, Host, LoadedModule};
use crate::link::Link;
use crate::reply::{Container, Replies, Reply};
use crate::{docs, rm, text};

/// Registers both.
///
/// # Errors
/// What the server refused.
///
/// # Safety
/// `ctx` is the context of `RedisModule_OnLoad`, which is running.
pub unsafe fn register(ctx: *mut Ctx) -> Result<(), String> {
    // SAFETY: by this function's contract.
    unsafe {
        if rm!(RegisterInfoFunc(ctx, info)) != api::OK {
            return Err("the sections of INFO".into());
        }
        let description = Description::parse(MODULES.as_bytes(), false)?;
        if rm!(CreateCommand(ctx, c"wasm.modules".as_ptr(), modules, c"readonly allow-loading allow-stale".as_ptr(), 0, 0, 0)) != api::OK
            || docs::describe(ctx, c"wasm.modules", &["readonly"], 1, None, &description).is_err()
        {
            return Err("the command WASM.MODULES".into());
        }
    }
    Ok(())
}

/// What COMMAND DOCS tells of the host's own command.
const MODULES: &str =
    "summary: Lists the loaded modules with their files and links\ncomplexity: O(exports and imports)\nsince: 0.1.0\nacl: read";

unsafe extern "C" fn info(ctx: *mut InfoCtx, for_crash_report: c_int) {
    let Some(host) = host::get() else { return };
    // In a crash report no module runs.
    host::guarded(|| {
        // SAFETY: `ctx` is that of the running INFO.
        unsafe {
            if rm!(InfoAddSection(ctx, c"".as_ptr())) == api::OK {
                field(ctx, c"settings_undone", host.settings_undone.get());
            }
        }
        for member in 0..host.modules.len() {
            // SAFETY: `ctx` is that of the running INFO.
            unsafe { section(host, member, ctx, for_crash_report != 0) };
        }
    });
}

/// # Safety
/// `ctx` is that of the running INFO, here and below.
unsafe fn section(host: &Host, member: MemberId, ctx: *mut InfoCtx, crashed: bool) {
    let module = &host.modules[member];
    let group = &host.groups[module.group];
    let name = text::line(module.file.name.as_bytes());
    // SAFETY: by this function's contract.
    unsafe {
        // An error says that this section was not asked for.
        if rm!(InfoAddSection(ctx, name.as_ptr())) != api::OK {
            return;
        }
        for (namespace, link) in &module.links {
            let (word, reason) = describe(link);
            field_text(ctx, &format!("link_{namespace}"), word);
            field_text(ctx, &format!("link_{namespace}_reason"), &reason);
        }
        if crashed {
            return;
        }
        let (reserved, free) = group.memory_bytes();
        field(ctx, c"memory_reserved", reserved);
        field(ctx, c"memory_used", reserved.saturating_sub(free));
        field(ctx, c"memory_free", free);
        field(ctx, c"commands", host::commands_served(host, member));
        field(ctx, c"traps", module.faults.traps());
        field(ctx, c"timeouts", module.faults.timeouts());
        field(ctx, c"damaged", group.damaged.get().into());
    }
    let Some(mut entered) = group.enter() else { return };
    let functions = &group.members()[module.index];
    if let Some(info) = &functions.info
        && !functions.info_back_off.lasts()
    {
        entered.store.data_mut().call.info = ctx;
        let result = entered.aside(Phase::Info, &functions.info_back_off, |store| info.call(store.as_context_mut(), ()));
        entered.store.data_mut().call.info = std::ptr::null_mut();
        if let Err(error) = result {
            // It costs its own fields alone.
            fault(member, c"info", &mut entered, std::ptr::null_mut(), &error);
        }
    }
}

/// A link in words: how it is resolved, and why.
pub fn describe(link: &Link) -> (&'static str, String) {
    match link {
        Link::Direct(provider) => ("direct", format!("linked to {}", host::module_name(*provider))),
        Link::Command(reason) => ("command", reason.clone()),
    }
}

/// # Safety
/// As [`section`].
unsafe fn field(ctx: *mut InfoCtx, name: &CStr, value: u64) {
    // SAFETY: by this function's contract.
    unsafe { rm!(InfoAddFieldULongLong(ctx, name.as_ptr(), value)) };
}

/// # Safety
/// As [`section`].
unsafe fn field_text(ctx: *mut InfoCtx, name: &str, value: &str) {
    let (name, value) = (text::line(name.as_bytes()), text::line(value.as_bytes()));
    // SAFETY: by this function's contract.
    unsafe { rm!(InfoAddFieldCString(ctx, name.as_ptr(), value.as_ptr())) };
}

/// `WASM.MODULES` → an array, a map per module: name, path, sha256, abi, exports, imports (each with how it is resolved).
unsafe extern "C" fn modules(ctx: *mut Ctx, _argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: the server calls with the context of a running command.
    unsafe { command::answering(ctx, || list_modules(ctx, argc)) }
}

/// # Safety
/// `ctx` is the context of a running command.
unsafe fn list_modules(ctx: *mut Ctx, argc: c_int) {
    let Some(host) = host::get() else { return };
    let mut replies = Replies::default();
    // SAFETY: by this function's contract.
    unsafe {
        if argc != 1 {
            return replies.send(ctx, Reply::WrongArity);
        }
        replies.open(ctx, Container::Array, host.modules.len() as i64);
        for module in &host.modules {
            let file = &module.file;
            let texts = [("name", file.name.as_str()), ("path", &file.path.to_string_lossy()), ("sha256", &file.hash)];
            replies.open(ctx, Container::Map, 6);
            for (name, value) in texts {
                replies.send(ctx, Reply::Bulk(name.as_bytes()));
                replies.send(ctx, Reply::Bulk(value.as_bytes()));
            }
            replies.send(ctx, Reply::Bulk(b"version"));
            replies.send(ctx, Reply::Integer(file.abi.unwrap_or(0).into()));
            let exports = file.module.exports().filter(|export| matches!(export.ty(), ExternType::Func(_)));
            let exports = exports.map(|export| export.name().into()).collect();
            for (name, values) in [("exports", exports), ("imports", imports(module))] {
                replies.send(ctx, Reply::Bulk(name.as_bytes()));
                replies.open(ctx, Container::Array, values.len() as i64);
                for value in values {
                    replies.send(ctx, Reply::Bulk(value.as_bytes()));
                }
            }
        }
        replies.finish(ctx);
    }
}

/// Every import with how it is resolved: `SPACE.name: direct, linked to <module>`.
fn imports(module: &LoadedModule) -> Vec<String> {
    let resolved = |namespace: &str| {
        let link = module.links.iter().find(|(linked, _)| linked == namespace);
        link.map_or_else(
            || "host".to_string(),
            |(_, link)| {
                let (word, reason) = describe(link);
                format!("{word}, {reason}")
            },
        )
    };
    module.file.module.imports().map(|import| format!("{}.{}: {}", import.module(), import.name(), resolved(import.module()))).collect()
}

/// The line that tells, at load, how a module is linked.
pub fn log_links(ctx: *mut Ctx, module: &LoadedModule) {
    for (namespace, link) in &module.links {
        let (word, reason) = describe(link);
        host::log(
            ctx,
            c"notice",
            &format!(
                "module {}: imports of {namespace} are resolved {}: {reason}",
                module.file.name,
                if word == "direct" { "directly" } else { "by command" }
            ),
        );
    }
}
