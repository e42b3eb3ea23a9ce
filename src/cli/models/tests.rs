use super::*;

/// Names that the arguments leave.
fn names(args: ModelsArgs) -> Vec<String> {
    let listed = list(&args).expect("lists");
    listed
        .iter()
        .filter(|listed| fits(listed, &args))
        .map(|listed| format!("{}/{}", listed.provider, listed.id))
        .collect()
}

#[test]
fn filters_leave_what_is_known_to_fit() {
    let all = names(ModelsArgs::default());
    let check = |args: ModelsArgs, keeps: &str, leaves_out: &str| {
        let shown = names(args.clone());
        for name in [keeps, leaves_out] {
            assert!(all.iter().any(|known| known == name), "{name} is in the catalog");
        }
        assert!(shown.iter().any(|name| name == keeps), "{keeps} is not shown: {args:?}");
        assert!(!shown.iter().any(|name| name == leaves_out), "{leaves_out} is shown: {args:?}");
    };
    let args = ModelsArgs::default;
    check(ModelsArgs { provider: vec!["groq".into(), "xai".into()], ..args() }, "xai/grok-4.7", "openai/gpt-4o");
    check(ModelsArgs { kind: Some(Kind::Embedding), ..args() }, "mistral/mistral-embed", "openai/gpt-4o");
    check(ModelsArgs { pattern: Some("OPUS-4-8".into()), ..args() }, "anthropic/claude-opus-4-8", "openai/gpt-4o");
    check(
        ModelsArgs { pattern: Some("anth*opus".into()), ..args() },
        "anthropic/claude-opus-5",
        "vertex/claude-opus-5",
    );
    let vision = vec![Wanted::Can(Capability::Tools), Wanted::Takes(Modality::Image)];
    check(ModelsArgs { capability: vision, ..args() }, "openai/gpt-4o", "deepseek/deepseek-r1");
}

#[test]
fn context_and_price_have_to_be_known() {
    let check = |args: ModelsArgs, name: &str, expected: bool| {
        assert_eq!(names(args).iter().any(|shown| shown == name), expected, "{name}");
    };
    let context = |context_min| ModelsArgs { context_min: Some(context_min), ..ModelsArgs::default() };
    check(context(128_000), "openai/gpt-4o", true);
    check(context(128_001), "openai/gpt-4o", false);
    check(context(1), "openai/whisper-1", false);
    // 2.5 and 10 dollars.
    let price = |price_max| ModelsArgs { price_max: Some(price_max), ..ModelsArgs::default() };
    check(price(10_000_000), "openai/gpt-4o", true);
    check(price(9_999_999), "openai/gpt-4o", false);
    check(price(u64::MAX), "openai/whisper-1", false);
    check(price(0), "openai/omni-moderation-latest", true);
}

#[test]
fn patterns() {
    let check = |name: &str, pattern: &str, expected: bool| assert_eq!(matches(name, pattern), expected, "{pattern}");
    check("openai/gpt-4o", "", true);
    check("openai/gpt-4o", "gpt", true);
    check("openai/gpt-4o", "open*4o", true);
    check("openai/gpt-4o", "4o*open", false);
    check("openai/gpt-4o", "*", true);
    check("openai/gpt-4o", "gpt-4o*gpt-4o", false);
}

#[test]
fn dollars() {
    let check = |text: &str, expected: Option<u64>| assert_eq!(usd(text).ok(), expected, "{text}");
    check("2.5", Some(2_500_000));
    check("10", Some(10_000_000));
    check("0", Some(0));
    check(".000001", Some(1));
    check("3.", Some(3_000_000));
    check("999999999.999999", Some(999_999_999_999_999));
    for text in ["", ".", "1.0000001", "-1", "+1", "1e3", "1,5", "1.2.3", "9999999999", "$2"] {
        check(text, None);
    }
}

#[test]
fn prices_are_shown_in_dollars() {
    let check = |provider: &str, id: &str, input: &str, output: &str| {
        let model = catalog::find(provider, id).expect(id).model;
        let (shown_input, shown_output) = prices(model.rates.as_ref());
        assert_eq!((shown_input.as_deref(), shown_output.unwrap_or_default().as_str()), (Some(input), output), "{id}");
    };
    check("openai", "gpt-4o", "2.5", "10");
    check("openai", "text-embedding-3-small", "0.02", "0");
    check("openai", "gpt-5.5", "5+", "30+");
    check("deepseek", "deepseek-v4-pro", "1.32-", "3.96-");
    check("openai", "whisper-1", "0.0001/second", "");
    check("cohere", "rerank-v3.5", "0.002/request", "");
    assert_eq!(prices(None), (None, None));
}

#[test]
fn every_name_that_can_be_asked_for_is_found_in_some_model() {
    let names = Capability::ALL.iter().map(|word| word.name()).chain(MODALITIES.iter().map(|(name, _)| *name));
    for name in names {
        let wanted = wanted(name).expect(name);
        assert!(catalog::models().any(|entry| wanted.is_of(&entry.model)), "{name}");
    }
    assert!(wanted("telepathy").is_err_and(|help| help.contains("tools") && help.contains("vision")));
    assert!(kind("chats").is_err_and(|help| help.contains("chat, responses")));
}
