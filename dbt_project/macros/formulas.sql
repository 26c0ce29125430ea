{# The formulas that decide, each in one place with its source. Every one has a unit test with a case computed by hand. #}

{# Expected rate per day from `total` events in `days` days: posterior mean under the Jeffreys prior Gamma(1/2, 0)
   of a Poisson rate. Never zero, so that a first complaint is not infinitely surprising. #}
{% macro poisson_rate(total, days) -%}
    (({{ total }} + 0.5) / cast(greatest({{ days }}, 1) as double))
{%- endmacro %}

{# Surprise of a count, in standard deviations: Anscombe's variance-stabilised difference (Anscombe 1948),
   divided by the square root of the over-dispersion (quasi-Poisson; McCullagh & Nelder 1989, section 6.2). #}
{% macro surprise(observed, expected, dispersion) -%}
    (2.0 * (sqrt({{ observed }} + 0.375) - sqrt({{ expected }} + 0.375)) / sqrt({{ dispersion }}))
{%- endmacro %}

{# Over-dispersion of a day's count of mean `explained`: variance over mean. Days of real series vary by a quarter beyond
   chance, so the prior is negative binomial (Hilbe 2011, section 8.2), 1 + mean / 16, by the weight of 14 days; the
   baseline's own variance over mean shrinks towards it. Never below 1 (Poisson). #}
{% macro dispersion(total, total_of_squares, days, explained) -%}
    greatest(1.0, (14.0 * (1.0 + ({{ explained }}) / 16.0) + {{ days }} * (
        ({{ total_of_squares }} - {{ total }} * {{ total }} / cast(greatest({{ days }}, 1) as double))
        / cast(greatest({{ days }} - 1, 1) as double)
    ) / greatest({{ total }} / cast(greatest({{ days }}, 1) as double), 0.05)) / (14.0 + {{ days }}))
{%- endmacro %}

{# Dispersion of a prediction: the expectation is itself an estimate, from `total` events, so its variance adds to that of
   the count (negative binomial predictive distribution; Gelman et al. 2013, section 2.6). #}
{% macro predictive(dispersion, expected, total) -%}
    (({{ dispersion }}) * (1.0 + ({{ expected }}) / (({{ total }}) + 0.5)))
{%- endmacro %}

{# How many times as much as usual a crowd says of everything: the rise of all other feedback, as far as it is beyond
   chance (a standard deviation of a Poisson count), and no more than that of praise and requests, of which an incident
   brings none. The latter is a posterior mean whose prior, the former, weighs ten pieces (Gamma-Poisson; Gelman et al.
   2013, section 2.6). Never below 1. #}
{% macro crowd(other, other_usual, calm, calm_usual) -%}
    greatest(1.0, least(
        {{ beyond_chance(other, other_usual) }},
        ({{ calm }} + 10.0 * {{ beyond_chance(other, other_usual) }}) / ({{ calm_usual }} + 10.0)
    ))
{%- endmacro %}

{% macro beyond_chance(count, usual) -%}
    ((({{ count }}) + 1.0 - sqrt(({{ count }}) + 1.0)) / (({{ usual }}) + 1.0))
{%- endmacro %}

{# Share of a surge of other complaints that the classifier takes for one type. It is wrong in every fourth answer; most
   of its errors go to a few neighbours of the right type (model card; reports/benchmarks.md). #}
{% macro label_leak() -%} 0.05 {%- endmacro %}

{# A ratio on a 0-1 scale, in doublings: 0 at no change or a fall, 1 at `full_at` times (three doublings) or more. #}
{% macro doublings(ratio, full_at='8.0') -%}
    least(1.0, log2(greatest({{ ratio }}, 1.0)) / log2({{ full_at }}))
{%- endmacro %}

{# A count or an amount on a 0-1 scale, logarithmic, 1 at `full_at` or more. #}
{% macro log_scale(amount, full_at) -%}
    least(1.0, ln(1.0 + greatest({{ amount }}, 0.0)) / ln(1.0 + {{ full_at }}))
{%- endmacro %}

{# Rounding of what marts show and thresholds compare: six decimals. The last bits of a sum depend on the order of its
   rows, and those of exp and ln on the machine, and neither may reach an outbound row. They would decide where a value
   lies half way between two results (29.7 / 64 = 0.4640625), which engines round differently, too: 0.00005 of the
   last digit is added, so that half goes up. #}
{% macro rounded(x, digits=6) -%}
    cast(round({{ x }} + 0.5e-{{ digits + 4 }}, {{ digits }}) as double)
{%- endmacro %}

{# Logarithm of an e-value, evidence that stays valid under continuous monitoring: a likelihood ratio against chance,
   averaged over alternatives in which something is 2, 4, 8 or 16 times as frequent (method of mixtures, Robbins 1970;
   e-values: Vovk & Wang 2021). By Ville's inequality, chance alone ever brings it to -ln(alpha) with a probability of at
   most alpha. Exponents are clipped to 50, where exp is safe on every engine. #}
{% macro log_mean_exp(exponents) -%}
    ln((
        {%- for exponent in exponents %}
        exp(greatest(-50.0, least(50.0, {{ exponent }}))){{ ' +' if not loop.last }}
        {%- endfor %}
    ) / {{ exponents | length }}.0)
{%- endmacro %}

{# Logarithm of the Bernoulli likelihood ratio of `successes` of `trials`, for odds `times` as high as those of `share`. Sums
   of it over pieces with shares of their own are exponents for log_mean_exp; a weight up to 1 of a piece tempers it. #}
{% macro log_ratio_of_share(successes, trials, share, times) -%}
    (({{ successes }}) * ln({{ times }}) - ({{ trials }}) * ln(1.0 + ({{ times }} - 1.0) * ({{ share }})))
{%- endmacro %}

{# E-value of a count: it is more than `expected` (its mean is the multiple). Over-dispersion divides the exponent
   (quasi-likelihood; McCullagh & Nelder 1989, section 9.2). #}
{% macro log_e_value_of_count(count, expected, dispersion) -%}
    {{ poisson_e_value(count, expected, dispersion, [2.0, 4.0, 8.0, 16.0]) }}
{%- endmacro %}

{# E-value of a fall: a count is less than `expected`, namely 95, 90, 80 or 60 % of it. #}
{% macro log_e_value_of_fall(count, expected, dispersion) -%}
    {{ poisson_e_value(count, expected, dispersion, [0.95, 0.9, 0.8, 0.6]) }}
{%- endmacro %}

{# E-value of a Poisson count, over alternatives that are multiples of what is expected. #}
{% macro poisson_e_value(count, expected, dispersion, multiples) -%}
    {%- set exponents = [] -%}
    {%- for times in multiples -%}
        {%- set _ = exponents.append(poisson_exponent(count, expected, dispersion, times)) -%}
    {%- endfor -%}
    {{ log_mean_exp(exponents) }}
{%- endmacro %}

{# Log-likelihood ratio of a Poisson count for such a multiple, over its dispersion; an exponent for log_mean_exp. #}
{% macro poisson_exponent(count, expected, dispersion, times) -%}
    (({{ count }}) * ln({{ times }}) + (1.0 - {{ times }}) * ({{ expected }})) / ({{ dispersion }})
{%- endmacro %}

{# Dispersion of a count against `share` times its control: that of the days before (at least of both Poisson counts), that
   of the share, estimated from `total_before`, and two per cent by which shares drift. #}
{% macro dispersion_of_control(share, dispersion_before, expected, total_before) -%}
    greatest(1.0 + {{ share }}, {{ dispersion_before }}) * (1.0 + {{ expected }} / greatest({{ total_before }}, 1.0))
    + 0.0004 * {{ expected }}
{%- endmacro %}

{# One day's part of Pearson's estimate of the dispersion of a count (McCullagh & Nelder 1989, section 6.2). #}
{% macro pearson_term(count, expected) -%}
    ({{ count }} - {{ expected }}) * ({{ count }} - {{ expected }}) / nullif({{ expected }}, 0.0)
{%- endmacro %}

{# Weight of a signal by its provenance (playbook.yml, signals.provenance); a provenance that is not listed is unknown. #}
{% macro provenance_weight(provenance) -%}
    case {{ provenance }}
        {%- for name in ['verified_purchase', 'known_account', 'open_web', 'server', 'client'] %}
        when '{{ name }}' then settings.weight_{{ name }}
        {%- endfor %}
        else settings.weight_unknown
    end
{%- endmacro %}

{# exp of a log e-value, clipped where exp is safe on every engine. #}
{% macro bounded_exp(x) -%} exp(greatest(-50.0, least(50.0, {{ x }}))) {%- endmacro %}

{# Logarithm of an e-value that is half a bet: the mean of the e-value and 1. What speaks against it costs at most ln 2. #}
{% macro half_of(x) -%} ln((1.0 + {{ bounded_exp(x) }}) / 2.0) {%- endmacro %}

{# E-value of a count over several windows (columns <count>_<n>h and <expected>_<n>h): the mean over windows and multiples. The
   dispersion of a window is 1 + `spread` x expectation (negative binomial, quasi-likelihood). #}
{% macro log_e_value_of_windows(count, expected, lengths, multiples) -%}
    {%- set exponents = [] -%}
    {%- for length in lengths -%}
        {%- set usual = expected ~ '_' ~ length ~ 'h' -%}
        {%- for times in multiples -%}
            {%- set _ = exponents.append(
                poisson_exponent(count ~ '_' ~ length ~ 'h', usual, '1.0 + spread * ' ~ usual, times)
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ log_mean_exp(exponents) }}
{%- endmacro %}

{# E-value of a slower service over several windows: the mean of ln(latency) is higher by ln 1.25, 1.5, 2 or 4; a normal
   likelihood ratio with the variance `spread`. #}
{% macro log_e_value_of_slowness(lengths) -%}
    {%- set exponents = [] -%}
    {%- for length in lengths -%}
        {%- set trials = 'trials_' ~ length ~ 'h' -%}
        {%- set above = 'coalesce(amount_' ~ length ~ 'h / nullif(' ~ trials ~ ', 0.0) - rate, 0.0)' -%}
        {%- for times in [1.25, 1.5, 2.0, 4.0] -%}
            {%- set _ = exponents.append(
                'case when ' ~ trials ~ ' > 0 then (ln(' ~ times ~ ') * ' ~ above
                ~ ' - 0.5 * ln(' ~ times ~ ') * ln(' ~ times ~ ')) / spread else 0.0 end'
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ log_mean_exp(exponents) }}
{%- endmacro %}

{# E-value of how recent the last change is: an exponential density with a mean of six hours against that of a Poisson
   process with as many changes per hour as the weeks before had. #}
{% macro log_e_value_of_recency() -%}
    ln({{ bounded_exp('-hours_since_change / 6.0') }} / 6.0)
    - ln(changes_per_hour * {{ bounded_exp('-hours_since_change * changes_per_hour') }})
{%- endmacro %}

{# Threshold of a log e-value by a budget of false alarms per month: by Markov's inequality, of `independent_looks` looks at
   least 1 / e-value each is the expected number of alarms by chance. #}
{% macro log_e_value_of_budget(budget) -%} ln({{ var('independent_looks') }} / {{ budget }}) {%- endmacro %}

{# Log-likelihood ratio of a change of a Poisson rate to what was seen since, against what is expected. #}
{% macro change_point(count, expected) -%}
    ({{ count }} * ln(greatest({{ count }}, 0.5) / greatest({{ expected }}, 0.000001)) - ({{ count }} - {{ expected }}))
{%- endmacro %}

{# E-value of a share over several windows (columns evidence_<n>h of said_<n>h, usually `share`): the mean over windows and odds 2,
   4, 8 and 16 times as high, tempered by the dispersion 1 + `spread` x expectation. #}
{% macro log_e_value_of_shares(lengths) -%}
    {%- set exponents = [] -%}
    {%- for length in lengths -%}
        {%- for times in [2.0, 4.0, 8.0, 16.0] -%}
            {%- set _ = exponents.append(
                log_ratio_of_share('evidence_' ~ length ~ 'h', 'said_' ~ length ~ 'h', 'share', times)
                ~ ' / (1.0 + spread * share * said_' ~ length ~ 'h)'
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ log_mean_exp(exponents) }}
{%- endmacro %}

{# Log-likelihood ratio of "back at the usual level" to "unchanged", of a Poisson count over its dispersion (sequential
   probability ratio test; Wald 1945). Its exp is an e-value against "unchanged", that of its negative one against "back";
   null where the two do not differ upwards. #}
{% macro log_ratio_of_return(count, unchanged, usual, dispersion) -%}
    case
        when {{ unchanged }} > {{ usual }} and {{ usual }} > 0.0
            then (({{ count }}) * ln({{ usual }} / {{ unchanged }}) + {{ unchanged }} - {{ usual }}) / ({{ dispersion }})
    end
{%- endmacro %}
