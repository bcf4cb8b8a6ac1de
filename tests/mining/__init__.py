"""Mining. Which test holds which rule:

=====  ===========================================================  ====================================================
i      a hard cut at k is found at k                                test_shots.py: a_hard_cut_is_found_where_it_is
ii     a flash is no cut                                            test_shots.py: a_flash_is_marked_and_is_no_cut
iii    two faces: no sequence; a second one under 15 %: allowed     test_quality.py: a_second_*;
                                                                    ../stages/test_sequences.py: two_characters_*
iv     an identity swap at k splits                                 test_chains.py: an_identity_swap_is_not_joined;
                                                                    ../stages/test_faces.py: a_cut_ends_tracks_*
v      a static photograph is rejected by motion                    test_chains.py: a_photograph_*;
                                                                    ../stages/test_sequences.py: a_photograph_*
vi     10 against 11 valid frames                                   test_chains.py: ten_valid_frames_*
vii    gaps of 4 and 5                                              test_chains.py: a_gap_of_four_*
viii   25 valid frames: two disjoint sequences                      test_chains.py: twenty_five_frames_*
ix     missing numbers, damaged JPEG                                ../stages/test_frames.py: holes_broken_files_*,
                                                                     files_that_cannot_be_opened_*
x      a second run gives the same bytes                            ../stages/test_sequences.py: the_same_input_*
xi     s06e24-25 and names without a show                            ../episodes/test_episodes.py: parse_clip,
                                                                     tvqa_clips_without_prefix_*
xii    clarity falls with blur, not with scale or light                 test_quality.py: clarity_falls_with_blur_*
=====  ===========================================================  ====================================================
"""
