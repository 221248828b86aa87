//! `WASM.LOAD`, `WASM.RELOAD` and `WASM.UNLOAD`.

use std::ffi::{CStr, c_int};
use std::path::PathBuf;

use super::job::{self, Deed, Job};
use crate::calls::apply;
use crate::calls::refuse::refuse;
use crate::describe::description::Description;
use crate::describe::tell;
use crate::engine::source::Source;
use crate::guest::ids::MemberId;
use crate::load::install;
use crate::modules::folder::Folder;
use crate::modules::loaded::{self, Host};
use crate::server::api::{self, Ctx, Str};
use crate::server::context::{self, Context};
use crate::server::guard::answering;
use crate::server::strings::Arguments;
use crate::server::{config, log, outermost, permissions};

const TEXTS: [(&CStr, api::CommandFunc, &CStr, c_int, &str); 3] = [
    (
        c"wasm.load",
        load,
        c"admin deny-script allow-stale",
        2,
        "summary: Serves the module of a file in wasm.dir from now on\ncomplexity: O(size of the file and of what was kept for the module)\nsince: 0.1.0\nacl: admin dangerous\nsyntax: name",
    ),
    (
        c"wasm.reload",
        reload,
        c"admin deny-script allow-stale",
        2,
        "summary: Replaces a module by its file as it is now, with all data\ncomplexity: O(size of the file and of the data)\nsince: 0.1.0\nacl: admin dangerous\nsyntax: name",
    ),
    (
        c"wasm.unload",
        unload,
        c"admin deny-script allow-stale may-replicate",
        -2,
        "summary: Stops serving a module, and keeps its data or drops it\ncomplexity: O(size of the data)\nsince: 0.1.0\nacl: admin dangerous\nsyntax: name [DROP]",
    ),
];

/// Registers them.
///
/// # Errors
/// What the server refused.
pub fn register(host: &Host, ctx: Context<'_>) -> Result<(), String> {
    for (name, function, flags, arity, text) in TEXTS {
        let description = Description::parse(text.as_bytes(), false)?;
        if !ctx.create_command(name, function, flags, (0, 0, 0))
            || tell::describe(ctx, name, &["admin"], arity, None, &description, &host.categories).is_err()
        {
            return Err(format!("the command {}", name.to_string_lossy().to_ascii_uppercase()));
        }
    }
    Ok(())
}

unsafe extern "C" fn load(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: the server calls with the context and the arguments of a running command.
    unsafe {
        answer_command(ctx, argv, argc, |host, ctx, name, _| {
            let folder = host.folder.get().ok_or("there is no wasm.dir to load it from")?;
            if serving(host, name).is_some() {
                return Err(format!("{name} is loaded already: WASM.RELOAD replaces it"));
            }
            begin(host, ctx, Deed::Load, name, Some(folder), PathBuf::new())
        })
    }
}

unsafe extern "C" fn reload(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        answer_command(ctx, argv, argc, |host, ctx, name, _| {
            let member = serving(host, name).ok_or_else(|| format!("no module {name} is loaded: WASM.LOAD loads one"))?;
            let module = &host.modules[member.0];
            let path = module.running().map(|running| running.file.path.clone()).unwrap_or_default();
            begin(host, ctx, Deed::Reload, name, host.folder.get().filter(|_| !module.is_given.get()), path)
        })
    }
}

unsafe extern "C" fn unload(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        answer_command(ctx, argv, argc, |host, ctx, name, rest| {
            let is_dropped = match rest {
                None => false,
                Some(word) if word.eq_ignore_ascii_case(b"DROP") => true,
                Some(_) => return Err("syntax error".into()),
            };
            drop_or_keep(host, ctx, name, is_dropped)?;
            ctx.reply_status(c"OK");
            Ok(())
        })
    }
}

/// Unloads a module.
///
/// # Errors
/// The reason; all is as it was.
fn drop_or_keep(host: &Host, ctx: Context<'_>, name: &str, is_dropped: bool) -> Result<(), String> {
    let is_replica = ctx.flags() & api::CTX_FLAGS_SLAVE != 0;
    if is_dropped && is_replica {
        return Err("a replica drops what its primary drops: DROP it there".into());
    }
    if host.moving.exports.get() {
        return Err("slots are on their way to another node: send it again when they are there, or cancel their move first".into());
    }
    let known = host.named(name.as_bytes());
    let data_name = known.map_or_else(|| name.as_bytes().into(), |member| host.modules[member.0].data_name());
    let Some(member) = serving(host, name) else {
        // What is kept of one that is missing may go too.
        if !is_dropped || host.kept.with(&data_name, |part| part.pieces.is_empty() && part.effects.is_empty()) {
            return Err(format!("no module {name} is loaded"));
        }
        host.kept.forget(&data_name);
        apply::replicate_drop(ctx, &data_name);
        return Ok(());
    };
    install::withdraw(host, ctx, member, is_dropped, "it was unloaded")?;
    if is_dropped {
        apply::replicate_drop(ctx, &data_name);
    }
    let what = if is_dropped { "its data are dropped" } else { "its data are kept" };
    log::notice(Some(ctx), &format!("module {name}: unloaded by {}; {what}", permissions::client(ctx)));
    Ok(())
}

/// The module of this name, if it is there.
fn serving(host: &Host, name: &str) -> Option<MemberId> {
    host.named(name.as_bytes()).filter(|member| host.modules[member.0].running().is_some())
}

/// Compiles the file and goes on with it: on another thread, unless the client cannot wait.
fn begin(host: &Host, ctx: Context<'_>, deed: Deed, name: &str, folder: Option<&Folder>, path: PathBuf) -> Result<(), String> {
    const CANNOT_WAIT: c_int = api::CTX_FLAGS_MULTI | api::CTX_FLAGS_LUA | api::CTX_FLAGS_DENY_BLOCKING;
    let job =
        Job { deed, name: name.into(), folder: folder.cloned(), path, cache: host.cache.get().cloned(), who: permissions::client(ctx) };
    if ctx.flags() & CANNOT_WAIT == 0 {
        return job::start(host, ctx, job);
    }
    let ready = job.prepare(&host.engine)?;
    job::finish(host, ctx, job, ready)?;
    ctx.reply_status(c"OK");
    Ok(())
}

/// Runs one of the commands, where it may run now, with the module's name and the word behind it.
///
/// # Safety
/// The context and the arguments are those of a running command.
unsafe fn answer_command(
    ctx: *mut Ctx,
    argv: *mut *mut Str,
    argc: c_int,
    action: impl FnOnce(&Host, Context<'_>, &str, Option<&[u8]>) -> Result<(), String>,
) -> c_int {
    // SAFETY: by this function's contract.
    let (ctx, arguments) = unsafe { (Context::new(ctx), Arguments::new(argv, argc)) };
    answering(ctx, || {
        let Some(host) = loaded::get() else { return };
        if !matches!(argc, 2 | 3) {
            return ctx.wrong_arity();
        }
        outermost::within(ctx, Some(arguments.get(0)), false, |_| {
            let name = String::from_utf8_lossy(arguments.get(1).bytes());
            let rest = (argc == 3).then(|| arguments.get(2).bytes());
            let done =
                may_change(host, ctx, arguments).and_then(|()| Source::check_name(&name)).and_then(|()| action(host, ctx, &name, rest));
            if let Err(reason) = done {
                refuse(ctx, &if reason.starts_with("NOPERM ") { reason } else { format!("ERR {reason}") });
            }
        });
    })
}

/// # Errors
/// Modules cannot be loaded here, or not now, or not by this user.
fn may_change(host: &Host, ctx: Context<'_>, arguments: Arguments<'_>) -> Result<(), String> {
    let command = String::from_utf8_lossy(arguments.get(0).bytes()).to_ascii_uppercase();
    if !config::may_load() {
        return Err(format!("{command} needs wasm.allow-load yes in the server's configuration, from its start on"));
    }
    if !permissions::may_load_modules() {
        return Err(format!("NOPERM {command} needs the permission to run MODULE LOAD too"));
    }
    job::check_moment(host, context::server_flags())?;
    host.check_folders(ctx)
}
