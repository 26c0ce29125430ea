-- Evidence of each issue as rows: the measure, its numbers, and the stance: for or against the change in `subject`
-- being the cause; without a subject, for or against there being an issue.
with evidence as (

    select * from {{ ref('int_issue_evidence') }}

),

older as (

    select
        correlation.issue_id,
        correlation.change_id,
        cast(count(*) as double) as complaints_before
    from {{ ref('int_release_correlation') }} as correlation
    inner join {{ ref('int_issue_feedback') }} as members
        on correlation.issue_id = members.issue_id and correlation.changed_at > members.occurred_at
    where correlation.is_change and correlation.candidate_rank <= 3
    group by correlation.issue_id, correlation.change_id

),

-- The three likeliest changes of each issue, with the number of complaints that are older than each.
changes as (

    select
        correlation.issue_id,
        correlation.change_id,
        correlation.platform,
        correlation.version,
        correlation.changed_at,
        correlation.hours_to_onset,
        correlation.timing,
        correlation.issue_feedback,
        correlation.issue_feedback_naming_version,
        correlation.issue_feedback_with_version,
        correlation.complaint_rate_on_version,
        correlation.complaint_rate_elsewhere,
        correlation.error_rate_after,
        correlation.error_rate_before,
        correlation.error_ratio_elsewhere,
        correlation.technical,
        correlation.shift,
        correlation.shift_elsewhen,
        correlation.unmoved,
        correlation.recovered,
        correlation.other_service,
        correlation.shift_measure,
        correlation.shift_ratio,
        correlation.shifted_at,
        correlation.control_past_share,
        correlation.shared_rise,
        correlation.scope_contradiction,
        correlation.confidence,
        10 * cast(correlation.candidate_rank as int) as first_position,
        coalesce(
            coalesce({{ platform_title('correlation.platform') }} || ' ', '') || correlation.version,
            correlation.change_id
        ) as title,
        coalesce(older.complaints_before, 0.0) as complaints_before,
        evidence.feedback_count as complaints
    from {{ ref('int_release_correlation') }} as correlation
    inner join evidence on correlation.issue_id = evidence.issue_id
    left join older on correlation.issue_id = older.issue_id and correlation.change_id = older.change_id
    where correlation.is_change and correlation.candidate_rank <= 3

),

scopes as (

    select
        issue_id,
        feedback_count,
        share,
        background_share,
        scope_kind || '_share' as measure_name,
        case scope_kind
            when 'platform' then {{ platform_title('scope_value') }} else scope_value
        end as title,
        case scope_kind when 'platform' then 6 when 'app_version' then 7 when 'country' then 8 else 9 end
            as first_position
    from {{ ref('int_issue_scope_candidates') }}
    where explains_issue

),

alternatives as (

    select
        correlation.*,
        alternatives.title,
        correlation.change_kind as measure_name,
        100 + cast(correlation.candidate_rank as int) as first_position
    from {{ ref('int_release_correlation') }} as correlation
    inner join {{ ref('int_issue_alternatives') }} as alternatives
        on correlation.issue_id = alternatives.issue_id and correlation.change_id = alternatives.alternative_id
    where not correlation.is_change and correlation.candidate_rank <= 2 and correlation.confidence >= 0.05

),

items as (

    {{ evidence_item(1, 'feedback', 'complaints', "'for'", value='peak_times_expected', counted='feedback_count') }}
    from evidence

    union all

    {{ evidence_item(2, 'technical', 'error_rate', "case when has_errors then 'for' else 'against' end",
        value='error_rate_during', baseline='error_rate_before') }}
    from evidence
    where error_ratio is not null

    union all

    {{ evidence_item(3, 'technical', 'latency_p95_ms', "case when is_slow then 'for' else 'neutral' end",
        value='latency_during', baseline='latency_before') }}
    from evidence
    where latency_ratio is not null

    union all

    {{ evidence_item(4, 'business', 'conversion', "case when has_business then 'for' else 'against' end",
        value='conversion_during', baseline='conversion_before') }}
    from evidence
    where conversion_ratio is not null

    union all

    {{ evidence_item(5, 'support', 'support_rate', "'neutral'", value='support_ratio', counted='support_count',
        total='feedback_count') }}
    from evidence
    where support_count > 0

    union all

    {{ evidence_item(43, 'support', 'support_beside', "case when has_support then 'for' else 'neutral' end",
        value='support_beside_count / support_beside_expected', counted='support_beside_count',
        total='support_beside_expected') }}
    from evidence
    where support_beside_count > 0 and support_beside_expected > 0

    union all

    {{ evidence_item(41, 'people', 'new_accounts', "
        case when evidence < feedback_count then 'against' else 'neutral' end", value='evidence',
        counted='new_accounts', total='customers_affected') }}
    from evidence
    where new_accounts >= 3 and (evidence < feedback_count or rests_on_strangers)

    union all

    {{ evidence_item(42, 'people', 'unknown_people', "'against'", total='customers_affected',
        counted='customers_affected - known_people') }}
    from evidence
    where rests_on_strangers

    union all

    {{ evidence_item('first_position', 'feedback', none, "'for'", subject_title='title', value='share',
        baseline='background_share', counted='feedback_count') }}
    from scopes

    union all

    {{ evidence_item('first_position', 'change', 'hours_to_onset', "
        case
            when hours_to_onset < 0.0 then 'against'
            when hours_to_onset <= " ~ var('fading_hours') ~ ".0 then 'for'
            else 'neutral'
        end", subject='change_id', subject_title='title', value='hours_to_onset', happened_at='changed_at',
        share='confidence') }}
    from changes

    union all

    {{ evidence_item('first_position + 1', 'change', 'complaints_before_change', "'against'", subject='change_id',
        subject_title='title', counted='complaints_before', total='complaints') }}
    from changes
    where complaints_before > 0

    union all

    {{ evidence_item('first_position + 2', 'change', 'version_named', "
        case
            when issue_feedback_naming_version >= 0.5 * issue_feedback_with_version then 'for'
            else 'against'
        end", subject='change_id', subject_title='title', counted='issue_feedback_naming_version',
        total='issue_feedback_with_version') }}
    from changes
    where version is not null and issue_feedback_with_version > 0

    union all

    {{ evidence_item('first_position + 3', 'change', 'other_version_named', "'against'", subject='change_id',
        subject_title='title', total='issue_feedback_with_version',
        counted='issue_feedback_with_version - issue_feedback_naming_version') }}
    from changes
    where
        version is not null
        and issue_feedback_with_version > issue_feedback_naming_version
        and issue_feedback_naming_version >= 0.5 * issue_feedback_with_version

    union all

    {{ evidence_item('first_position + 4', 'change', 'complaint_rate', "
        case
            when complaint_rate_on_version >= 2.0 * complaint_rate_elsewhere then 'for'
            when complaint_rate_on_version < 1.25 * complaint_rate_elsewhere then 'against'
            else 'neutral'
        end", subject='change_id', subject_title='title', value='complaint_rate_on_version',
        baseline='complaint_rate_elsewhere') }}
    from changes
    where complaint_rate_on_version is not null and complaint_rate_elsewhere is not null

    union all

    {{ evidence_item('first_position + 5', 'change', 'error_rate', "
        case
            when technical >= 0.2 then 'for'
            when error_rate_after < 1.25 * error_rate_before then 'against'
            else 'neutral'
        end", subject='change_id', subject_title='title', value='error_rate_after', baseline='error_rate_before') }}
    from changes
    where error_rate_after is not null

    union all

    {{ evidence_item('first_position + 6', 'change', 'error_rise_elsewhere', "'against'", subject='change_id',
        subject_title='title', value='error_ratio_elsewhere') }}
    from changes
    where error_ratio_elsewhere >= 1.5

    union all

    {{ evidence_item('first_position + 7', 'change', 'shared_rise', "'against'", subject='change_id',
        subject_title='title', value='shared_rise') }}
    from changes
    where shared_rise >= 0.25

    union all

    {{ evidence_item('first_position + 8', 'change', 'other_scope', "'against'", subject='change_id',
        subject_title='title') }}
    from changes
    where scope_contradiction = 1.0

    union all
    {% for measure in ['errors', 'latency', 'completions'] %}
        {{ evidence_item('first_position + 9', 'change', 'shift_of_' ~ measure, "
            case when shift >= 0.2 then 'for' else 'neutral' end", subject='change_id', subject_title='title',
            value='shift_ratio', share='shift', happened_at='shifted_at') }}
        from changes
        where shift > 0.0 and shift_measure = '{{ measure }}'

        union all
    {% endfor %}
    {{ evidence_item('first_position + 9', 'change', 'shift_elsewhen', "'against'", subject='change_id',
        subject_title='title', value='shift_ratio', share='shift_elsewhen', happened_at='shifted_at') }}
    from changes
    where shift = 0.0 and shift_elsewhen >= 0.2

    union all
    {% for measure in ['unmoved', 'recovered', 'other_service'] %}
        {{ evidence_item('first_position + ' ~ (loop.index0 + 110), 'change', measure, "'against'", subject='change_id',
            subject_title='title', value=measure) }}
        from changes
        where {{ measure }} >= 0.5

        union all
    {% endfor %}
    {{ evidence_item('first_position', 'alternative', none, "
        case when confidence >= 0.2 then 'for' else 'neutral' end",
        subject='change_id', subject_title='title', value='alternative_evidence', share='confidence',
        happened_at='changed_at') }}
    from alternatives

    union all

    select * from {{ ref('int_release_strength_items') }}

)

select
    issue_id,
    position,
    kind,
    subject,
    subject_title,
    stance,
    measure,
    {{ rounded('value') }} as value,
    {{ rounded('baseline') }} as baseline,
    {{ rounded('share') }} as share,
    cast(round(counted) as bigint) as counted,
    cast(round(total) as bigint) as total,
    happened_at,
    {{ evidence_sentence() }} as sentence
from items
