{{ config(materialized='incremental', pre_hook="{{ forget_live_issues() }}") }}

-- The evidence of each issue as statements with their numbers, for and against, in the order a reader wants them.
with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

correlation as (

    select * from {{ ref('int_release_correlation') }}

),

feedback_statements as (

    select
        issue_id,
        1 as position,
        'feedback' as kind,
        {{ as_text('feedback_count') }} || ' complaints, ' || coalesce(
            'at the peak ' || {{ decimals('peak_times_expected', 1) }} || ' times what was expected (',
            'unusually many for one platform or country ('
        ) || {{ decimals('peak_score', 1) }} || ' standard deviations).' as statement
    from evidence

),

technical_statements as (

    select
        issue_id,
        2 as position,
        'technical' as kind,
        'Error rate ' || {{ decimals('error_rate_during * 100.0', 2) }} || ' % since the onset, '
        || {{ decimals('error_rate_before * 100.0', 2) }} || ' % before'
        || case when has_errors then '.' else ': nothing unusual.' end
        || case
            when is_slow
                then
                    ' Latency (95th percentile) ' || {{ whole('latency_during') }} || ' ms since the onset, '
                    || {{ whole('latency_before') }} || ' ms before.'
            else ''
        end as statement
    from evidence
    where error_ratio is not null

),

business_statements as (

    select
        issue_id,
        3 as position,
        'business' as kind,
        'Conversion of this step ' || {{ decimals('conversion_during * 100.0', 1) }} || ' % since the onset, '
        || {{ decimals('conversion_before * 100.0', 1) }} || ' % before'
        || case when has_business then '.' else ': nothing unusual.' end as statement
    from evidence
    where conversion_ratio is not null

),

support_statements as (

    select
        issue_id,
        4 as position,
        'support' as kind,
        {{ whole('support_count') }} || ' tickets and chats, '
        || {{ decimals('support_ratio', 1) }} || ' times the usual rate.' as statement
    from evidence
    where has_support

),

change_statements as (

    select
        issue_id,
        4 + cast(candidate_rank as int) as position,
        'change' as kind,
        change_id || ' went out ' || {{ minute_of('changed_at') }}
        || case
            when version is null then ''
            else
                '; ' || {{ as_text('issue_feedback_naming_version') }} || ' of ' || {{ as_text('issue_feedback') }}
                || ' complaints name it (' || {{ as_text('issue_feedback - issue_feedback_with_version') }}
                || ' name no version)'
                || coalesce(
                    '; ' || {{ decimals('complaint_rate_on_version * 100.0', 1) }}
                    || ' % of what is said on it is this complaint, '
                    || {{ decimals('complaint_rate_elsewhere * 100.0', 1) }} || ' % on other versions', ''
                )
        end
        || coalesce(
            '; error rate ' || {{ decimals('error_rate_after * 100.0', 2) }} || ' % after it, '
            || {{ decimals('error_rate_before * 100.0', 2) }} || ' % before', ''
        )
        || case
            when scope_contradiction = 1.0 then '; against it: the issue sits where this change does not'
            else ''
        end
        || '. Confidence ' || {{ whole('confidence * 100.0') }} || ' %: ' || verdict || '.' as statement
    from correlation
    where is_change and candidate_rank <= 3 and issue_id in (select evidence.issue_id from evidence)

),

alternative_statements as (

    select
        alternatives.issue_id,
        7 + cast(correlation.candidate_rank as int) as position,
        'alternative' as kind,
        alternatives.statement || ' (' || {{ whole('correlation.confidence * 100.0') }} || ' %).' as statement
    from correlation
    inner join {{ ref('int_issue_alternatives') }} as alternatives
        on correlation.issue_id = alternatives.issue_id and correlation.change_id = alternatives.alternative_id
    where correlation.candidate_rank <= 2 and correlation.confidence >= 0.05

),

statements as (

    select * from feedback_statements
    union all
    select * from technical_statements
    union all
    select * from business_statements
    union all
    select * from support_statements
    union all
    select * from change_statements
    union all
    select * from alternative_statements

)

select
    issue_id,
    position,
    kind,
    statement
from statements
