//! The arguments of a command, from one line of text:
//! `key:key value [NX|XX] [EX seconds:integer|KEEPTTL] [field value ...]`.
//!
//! ```text
//!   sequence  one item after the other; `...` at the end of a group repeats all of it, elsewhere the item
//!             before it
//!   item      TOKEN · name · name:type · TOKEN name · group
//!   group     [ sequence | sequence … ] optional · ( sequence | sequence … ) not
//! ```

use std::ffi::c_int;

/// Groups within each other, and arguments in all: the server walks them by recursion.
const DEPTH_MAX: usize = 8;
const ARGUMENTS_MAX: usize = 256;

/// The server's kinds of argument, in its order.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(u32)]
pub enum Kind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    Token,
    OneOf,
    Block,
}

/// What a name's type may be.
const TYPES: [(&str, Kind); 6] = [
    ("string", Kind::String),
    ("integer", Kind::Integer),
    ("double", Kind::Double),
    ("key", Kind::Key),
    ("pattern", Kind::Pattern),
    ("unix-time", Kind::UnixTime),
];

#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    pub name: String,
    pub kind: Kind,
    /// Of a key: the number of its specification.
    pub keys: usize,
    pub token: Option<String>,
    pub optional: bool,
    pub multiple: bool,
    pub children: Vec<Argument>,
}

impl Argument {
    fn new(name: String, kind: Kind) -> Argument {
        Argument { name, kind, keys: 0, token: None, optional: false, multiple: false, children: Vec::new() }
    }

    /// Whether it is a key, or has one within it.
    pub fn holds_key(&self) -> bool {
        self.kind == Kind::Key || self.children.iter().any(Argument::holds_key)
    }
}

/// Gives the keys their specifications in order; keys beyond the last of `count` share it.
pub fn number_keys(arguments: &mut [Argument], count: usize) {
    fn number(arguments: &mut [Argument], next: &mut usize, count: usize) {
        for argument in arguments {
            if argument.kind == Kind::Key {
                argument.keys = (*next).min(count.saturating_sub(1));
                *next += 1;
            }
            number(&mut argument.children, next, count);
        }
    }
    number(arguments, &mut 0, count);
}

/// The arity of a command with these arguments, as COMMAND INFO has it: the name counts, and a negative
/// number is a minimum.
pub fn arity(arguments: &[Argument]) -> c_int {
    let (least, is_exact) = words_of(arguments);
    if is_exact { least + 1 } else { -least - 1 }
}

/// The words that an argument takes at least where it is given, its own word counted.
pub fn least(argument: &Argument) -> usize {
    let given = Argument { optional: false, ..argument.clone() };
    words_of(std::slice::from_ref(&given)).0.unsigned_abs() as usize
}

/// The words that these arguments take at least, and whether they never take more.
fn words_of(arguments: &[Argument]) -> (c_int, bool) {
    arguments.iter().fold((0, true), |(sum, all_exact), argument| {
        let (least, is_exact) = match argument.kind {
            Kind::Token => (0, true),
            Kind::Block => words_of(&argument.children),
            Kind::OneOf => {
                let each: Vec<(c_int, bool)> = argument.children.iter().map(|child| words_of(std::slice::from_ref(child))).collect();
                let least = each.iter().map(|(least, _)| *least).min().unwrap_or(0);
                (least, each.iter().all(|one| *one == (least, true)))
            }
            _ => (1, true),
        };
        let least = if argument.optional { 0 } else { least + c_int::from(argument.token.is_some()) };
        (sum + least, all_exact && is_exact && !argument.optional && !argument.multiple)
    })
}

/// Reads the arguments of a command.
///
/// # Errors
/// What breaks the grammar.
pub fn parse(text: &str) -> Result<Vec<Argument>, String> {
    let mut parser = Parser { words: words(text)?, at: 0, count: 0 };
    let arguments = parser.sequence(0)?;
    match parser.next() {
        None => Ok(arguments),
        Some(word) => Err(format!("`{word}` stands outside of a group")),
    }
}

/// Splits a line into words, brackets, bars and `...`.
fn words(text: &str) -> Result<Vec<&str>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '[' | ']' | '(' | ')' | '|' => 1,
            '.' if rest.starts_with("...") => 3,
            _ => rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !"_-:".contains(letter)).unwrap_or(rest.len()),
        };
        if length == 0 {
            return Err(format!("`{first}` is not understood"));
        }
        let (word, others) = rest.split_at(length);
        words.push(word);
        rest = others.trim_start();
    }
    Ok(words)
}

struct Parser<'a> {
    words: Vec<&'a str>,
    at: usize,
    count: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let word = self.peek();
        self.at += usize::from(word.is_some());
        word
    }

    /// Items up to the end of the group, or of the alternative, that they stand in.
    fn sequence(&mut self, depth: usize) -> Result<Vec<Argument>, String> {
        let mut items: Vec<Argument> = Vec::new();
        while let Some(word) = self.peek().filter(|word| !["]", ")", "|"].contains(word)) {
            self.at += 1;
            self.count += 1;
            if self.count > ARGUMENTS_MAX {
                return Err(format!("more than {ARGUMENTS_MAX} arguments"));
            }
            match word {
                "..." if depth == 0 => items.last_mut().ok_or("nothing comes before `...`")?.multiple = true,
                "..." => {
                    if self.peek().is_some_and(|next| !["]", ")", "|"].contains(&next)) {
                        return Err("`...` does not end its group".into());
                    }
                    let mut repeated = single(std::mem::take(&mut items)).ok_or("nothing comes before `...`")?;
                    if let [first, ..] = &mut repeated.children[..]
                        && repeated.kind == Kind::Block
                    {
                        // DATA field value ...: the word comes once, before all of them.
                        repeated.token = first.token.take();
                    }
                    repeated.multiple = true;
                    items.push(repeated);
                }
                "[" => items.push(Argument { optional: true, ..self.group("]", depth + 1)? }),
                "(" => items.push(self.group(")", depth + 1)?),
                _ if is_token(word) => {
                    let argument = match self.peek().filter(|next| is_name(next)) {
                        Some(next) => {
                            self.at += 1;
                            named(next)?
                        }
                        None => Argument::new(word.to_ascii_lowercase(), Kind::Token),
                    };
                    items.push(Argument { token: Some(word.into()), ..argument });
                }
                _ if is_name(word) => items.push(named(word)?),
                _ => return Err(format!("`{word}` is neither a TOKEN nor a name")),
            }
        }
        Ok(items)
    }

    /// What stands between an opening bracket and `end`, as one argument.
    fn group(&mut self, end: &str, depth: usize) -> Result<Argument, String> {
        if depth > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} groups within each other"));
        }
        let mut alternatives = Vec::new();
        loop {
            alternatives.push(single(self.sequence(depth)?).ok_or("a group, or a part of one, is empty")?);
            match self.next() {
                Some("|") => {}
                Some(word) if word == end => break,
                Some(word) => return Err(format!("`{word}` ends a group that another bracket began")),
                None => return Err(format!("a group is not ended by `{end}`")),
            }
        }
        if alternatives.len() == 1 {
            return Ok(alternatives.remove(0));
        }
        let name = alternatives.iter().map(|argument| argument.name.as_str()).collect::<Vec<_>>().join("-");
        Ok(Argument { children: alternatives, ..Argument::new(name, Kind::OneOf) })
    }
}

/// One argument out of several: a block, named as its first is; `None` out of none.
fn single(mut items: Vec<Argument>) -> Option<Argument> {
    if items.len() < 2 {
        return items.pop();
    }
    let name = items[0].name.clone();
    Some(Argument { children: items, ..Argument::new(name, Kind::Block) })
}

/// Whether it is a word of capitals, as a TOKEN of a syntax is.
pub fn is_token(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_ascii_uppercase())
        && !word.contains(|letter: char| letter.is_ascii_lowercase() || letter == ':')
}

fn is_name(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_ascii_lowercase()) && !word.contains(|letter: char| letter.is_ascii_uppercase())
}

/// `name` or `name:type`.
fn named(word: &str) -> Result<Argument, String> {
    let (name, kind) = word.split_once(':').unwrap_or((word, "string"));
    let (_, kind) = TYPES.iter().find(|(title, _)| *title == kind).ok_or_else(|| format!("`{kind}` is no type of an argument"))?;
    Ok(Argument::new(name.into(), *kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments in words: `name:kind`, with its token before it, `?` optional, `+` multiple, and what it
    /// holds in brackets.
    fn shown(arguments: &[Argument]) -> String {
        let one = |argument: &Argument| {
            let token = argument.token.as_deref().map(|token| format!("{token} ")).unwrap_or_default();
            let (optional, multiple) = (if argument.optional { "?" } else { "" }, if argument.multiple { "+" } else { "" });
            let children = if argument.children.is_empty() { String::new() } else { format!("[{}]", shown(&argument.children)) };
            format!("{token}{}:{:?}{optional}{multiple}{children}", argument.name, argument.kind)
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn tree(text: &str) -> String {
        shown(&parse(text).unwrap())
    }

    #[test]
    fn names_and_tokens() {
        assert_eq!(tree("key:key value"), "key:Key value:String");
        assert_eq!(tree("a:integer b:double c:pattern d:unix-time"), "a:Integer b:Double c:Pattern d:UnixTime");
        assert_eq!(tree("[NEW] [MATCH pattern:pattern]"), "NEW new:Token? MATCH pattern:Pattern?");
        assert_eq!(tree("key:key ..."), "key:Key+");
        assert_eq!(tree(""), "");
    }

    #[test]
    fn groups() {
        assert_eq!(tree("[NX|XX]"), "nx-xx:OneOf?[NX nx:Token XX xx:Token]");
        assert_eq!(tree("[EX seconds:integer|KEEPTTL]"), "seconds-keepttl:OneOf?[EX seconds:Integer KEEPTTL keepttl:Token]");
        assert_eq!(tree("[field value ...]"), "field:Block?+[field:String value:String]");
        assert_eq!(tree("(key:key value ...)"), "key:Block+[key:Key value:String]");
        assert_eq!(tree("[DATA field value ...]"), "DATA field:Block?+[field:String value:String]");
        assert_eq!(
            tree("[MAX n:integer [EVICT|REJECT]]"),
            "n:Block?[MAX n:Integer evict-reject:OneOf?[EVICT evict:Token REJECT reject:Token]]"
        );
        assert_eq!(tree("(a b|c)"), "a-c:OneOf[a:Block[a:String b:String] c:String]");
    }

    #[test]
    fn arities() {
        let of = |text: &str| arity(&parse(text).unwrap());
        assert_eq!((of(""), of("a b"), of("a [b]"), of("a ...")), (1, 3, -2, -2));
        assert_eq!((of("WITH a"), of("(A|B)"), of("(A|B c)"), of("(A b|C d)")), (3, 2, -2, 3));
        assert_eq!(of("[NX|XX] a"), -2);
    }

    #[test]
    fn keys_take_the_specifications_in_order() {
        let mut arguments = parse("a:key [ID b:key] [c:key ...]").unwrap();
        number_keys(&mut arguments, 2);
        assert_eq!(arguments.iter().map(|argument| argument.keys).collect::<Vec<_>>(), [0, 1, 1]);
    }

    #[test]
    fn what_breaks_the_grammar_is_told() {
        for (text, reason) in [
            ("a | b", "`|` stands outside"),
            ("a ]", "`]` stands outside"),
            ("[a", "not ended by `]`"),
            ("[a)", "another bracket"),
            ("[]", "is empty"),
            ("[a|]", "is empty"),
            ("...", "nothing comes before"),
            ("[... a]", "does not end its group"),
            ("[...]", "nothing comes before"),
            ("Key", "neither a TOKEN nor a name"),
            ("a:text", "`text` is no type"),
            ("a, b", "`,` is not understood"),
            ("..", "`.` is not understood"),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.contains(reason), "{text}: {told}");
        }
        assert!(parse(&"[".repeat(DEPTH_MAX + 1)).unwrap_err().contains("within each other"));
        assert!(parse(&"a ".repeat(ARGUMENTS_MAX + 1)).unwrap_err().contains("more than"));
    }
}
