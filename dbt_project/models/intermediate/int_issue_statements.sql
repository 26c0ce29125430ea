-- The evidence of each issue as sentences with their numbers, for and against, in the order a reader wants them.
with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

correlation as (

    select * from {{ ref('fct_release_correlation') }}

),

statements as (

    select
        issue_id,
        1 as position,
        'feedback' as kind,
        cast(feedback_count as {{ dbt.type_string() }}) || ' complaints, at the peak '
        || cast(round(coalesce(peak_times_expected, 1.0), 1) as {{ dbt.type_string() }}) || ' times what was expected ('
        || cast(round(peak_score, 1) as {{ dbt.type_string() }}) || ' standard deviations).' as statement
    from evidence

    union all

    select
        issue_id,
        2 as position,
        'technical' as kind,
        'Error rate ' || cast(round(error_rate_during * 100.0, 2) as {{ dbt.type_string() }}) || ' % since the onset, '
        || cast(round(error_rate_before * 100.0, 2) as {{ dbt.type_string() }}) || ' % before'
        || case when has_technical then '.' else ': nothing unusual.' end as statement
    from evidence
    where error_ratio is not null

    union all

    select
        issue_id,
        3 as position,
        'business' as kind,
        'Conversion of this step ' || cast(round(conversion_during * 100.0, 1) as {{ dbt.type_string() }})
        || ' % since the onset, ' || cast(round(conversion_before * 100.0, 1) as {{ dbt.type_string() }}) || ' % before'
        || case when has_business then '.' else ': nothing unusual.' end as statement
    from evidence
    where conversion_ratio is not null

    union all

    select
        issue_id,
        4 as position,
        'support' as kind,
        cast(cast(round(support_count) as bigint) as {{ dbt.type_string() }}) || ' tickets and chats, '
        || cast(round(support_ratio, 1) as {{ dbt.type_string() }}) || ' times the usual rate.' as statement
    from evidence
    where has_support

    union all

    select
        correlation.issue_id,
        4 + cast(correlation.candidate_rank as int) as position,
        'change' as kind,
        correlation.change_id || ' went out ' || substring(cast(correlation.changed_at as {{ dbt.type_string() }}), 1, 16)
        || case
            when correlation.version is null then ''
            else '; ' || cast(correlation.issue_feedback_naming_version as {{ dbt.type_string() }}) || ' of '
                || cast(correlation.issue_feedback as {{ dbt.type_string() }}) || ' complaints name it ('
                || cast(correlation.issue_feedback - correlation.issue_feedback_with_version as {{ dbt.type_string() }})
                || ' name no version)'
                || coalesce(
                    '; ' || cast(round(correlation.complaint_rate_on_version * 100.0, 1) as {{ dbt.type_string() }})
                    || ' % of what is said on it is this complaint, '
                    || cast(round(correlation.complaint_rate_elsewhere * 100.0, 1) as {{ dbt.type_string() }})
                    || ' % on other versions', ''
                )
        end
        || coalesce(
            '; error rate ' || cast(round(correlation.error_rate_after * 100.0, 2) as {{ dbt.type_string() }}) || ' % after it, '
            || cast(round(correlation.error_rate_before * 100.0, 2) as {{ dbt.type_string() }}) || ' % before', ''
        )
        || case
            when correlation.scope_contradiction = 1.0 then '; against it: the issue sits where this change does not'
            else ''
        end
        || '. Confidence ' || cast(cast(round(correlation.confidence * 100.0) as bigint) as {{ dbt.type_string() }})
        || ' %: ' || correlation.verdict || '.' as statement
    from correlation
    where correlation.candidate_rank <= 3

)

select issue_id, position, kind, statement
from statements
