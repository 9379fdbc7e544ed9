//! The options of `submit` that are parameters of a scrape, from their table.

use clap::error::{Error, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::api::{Kind, PARAMETERS, Parameter};
use crate::job::RawRequest;

/// The parameters that are given as options.
#[derive(Debug)]
pub(crate) struct ScrapeOptions {
    pub given: Box<RawRequest>,
}

fn option(parameter: &'static Parameter) -> Option<Arg> {
    let (name, help) = parameter.option?;
    let arg = Arg::new(parameter.name).long(name).help(help);
    let value_name = match parameter.kind {
        Kind::Boolean { .. } => return Some(arg.action(ArgAction::SetTrue)),
        Kind::Prompt | Kind::Line { .. } | Kind::Pattern { .. } => "TEXT",
        Kind::Country => "CODE",
        Kind::Url => "URL",
        Kind::Seconds { .. } => "SECONDS",
        Kind::Count { .. } => "COUNT",
        Kind::Choice(_) => "WORD",
    };
    let check = |text: &str| match parameter.set_text(&mut RawRequest::default(), text.to_owned()) {
        Ok(_) => Ok(text.to_owned()),
        Err(wrong) => Err(format!("must be {}", wrong.must_be)),
    };
    Some(arg.value_name(value_name).value_parser(check))
}

impl Args for ScrapeOptions {
    fn augment_args(command: Command) -> Command {
        command.args(PARAMETERS.iter().filter_map(option))
    }

    fn augment_args_for_update(command: Command) -> Command {
        ScrapeOptions::augment_args(command)
    }
}

impl FromArgMatches for ScrapeOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ScrapeOptions, Error> {
        let mut given = RawRequest::default();
        for parameter in PARAMETERS.iter().filter(|parameter| parameter.option.is_some()) {
            let text = if let Kind::Boolean { default } = parameter.kind {
                matches.get_flag(parameter.name).then(|| (!default).to_string())
            } else {
                matches.get_one::<String>(parameter.name).cloned()
            };
            if let Some(text) = text {
                let set = parameter.set_text(&mut given, text);
                set.map_err(|wrong| Error::raw(ErrorKind::ValueValidation, wrong.must_be))?;
            }
        }
        Ok(ScrapeOptions { given: Box::new(given) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = ScrapeOptions::from_arg_matches(matches)?;
        Ok(())
    }
}
