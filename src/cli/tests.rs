use super::*;

#[test]
fn the_definition_is_sound() {
    command().debug_assert();
}

#[test]
fn every_argument_explains_itself() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    check(&command());
}

#[test]
fn serve_overrides() {
    let line = "ringway serve --listen 127.0.0.1:1 --listen unix:/x --driver io_uring --shards 2 --admin none";
    let cli = Cli::try_parse_from(line.split(' ')).expect("parses");
    let Command::Serve(args) = cli.command else { panic!("another command") };
    let expected = Overrides {
        listen: vec!["127.0.0.1:1".into(), "unix:/x".into()],
        admin: Some("none".into()),
        driver: Some(Driver::IoUring),
        shards: Some(2),
    };
    assert_eq!(args.overrides(), expected);
    for line in ["ringway serve --shards 0", "ringway serve --shards 257", "ringway serve --driver uring", "ringway"] {
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}
