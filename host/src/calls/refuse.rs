//! What becomes of a command that does not run, and of an effect that cannot be applied.

use crate::server::context::Context;
use crate::server::strings::Arguments;
use crate::server::{log, outermost, text};

/// The error of writes while the group is damaged.
pub const DAMAGED: &str =
    "MISCONF a call ended in the middle of a write and left this module's data in doubt: restart the server, or DEBUG RELOAD NOSAVE";

pub fn refuse(ctx: Context<'_>, message: &str) {
    ctx.reply_error(&text::line(message.as_bytes()));
}

/// Answers as the server does to a command that it does not know.
pub fn refuse_unknown(ctx: Context<'_>, arguments: Arguments<'_>) {
    // Source: rejectCommandUnknown in the server, whose texts are cut at 128 bytes.
    const CUT: usize = 128;
    let cut = |bytes: &[u8], limit: usize| bytes[..bytes.len().min(limit)].to_vec();
    let mut message = b"ERR unknown command '".to_vec();
    message.extend(cut(arguments.get(0).bytes(), CUT));
    message.extend(b"', with args beginning with: ");
    let mut shown = Vec::new();
    for argument in arguments.iter().skip(1) {
        if shown.len() >= CUT {
            break;
        }
        let room = CUT - shown.len();
        shown.push(b'\'');
        shown.extend(cut(argument.bytes(), room));
        shown.extend(b"' ");
    }
    message.extend(shown);
    ctx.reply_error(&text::line(&message));
}

/// An effect cannot be applied: what another server did cannot be done here. What comes with slots of another
/// node is refused, and that node keeps them; else this server exits.
pub fn refuse_effect(ctx: Context<'_>, command: &str, reason: &str) {
    if !outermost::may_refuse() {
        give_up(command, reason);
    }
    refuse(ctx, &format!("ERR {command} cannot be applied: {}", reason.trim_start_matches("ERR ")));
}

/// Exits the server: what another one did cannot be done here. Its format is newer, the data differs already,
/// or a module fails where it did not before.
pub fn give_up(command: &str, reason: &str) -> ! {
    log::give_up(&format!("{command} cannot be applied: {reason}"))
}
