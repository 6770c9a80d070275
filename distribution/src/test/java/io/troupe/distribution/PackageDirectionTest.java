package io.troupe.distribution;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which package may know which; the picture of the architecture that the compiler cannot check. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class PackageDirectionTest {

  private static final String COMMON_MODEL = "io.troupe.model..";
  private static final String[] COMMON = {
    COMMON_MODEL,
    "io.troupe.protocol..",
    "io.troupe.mesos..",
    "io.troupe.os..",
    "io.troupe.timers.."
  };

  private static final JavaClasses TROUPE =
      new ClassFileImporter()
          .withImportOption(location -> !location.contains("test-classes"))
          .importPackages("io.troupe");

  @Test
  void the_classes_of_every_module_are_seen() {
    assertThat(TROUPE.stream().map(c -> c.getPackageName()))
        .contains(
            "io.troupe.model", "io.troupe.scheduler", "io.troupe.executor", "io.troupe.local");
  }

  @ParameterizedTest
  @CsvSource({
    "io.troupe.model.., io.troupe.model..",
    "io.troupe.mesos.., io.troupe.mesos..",
    "io.troupe.os.., io.troupe.os..",
    "io.troupe.timers.., io.troupe.timers..",
  })
  void what_all_share_knows_nobody(String owner, String itself) {
    noClasses()
        .that(resideInAPackage(owner))
        .should()
        .dependOnClassesThat(resideInAPackage("io.troupe..").and(resideOutsideOfPackages(itself)))
        .check(TROUPE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"scheduler", "executor", "local"})
  void a_module_sees_what_all_share_and_no_other_module(String module) {
    String itself = "io.troupe." + module + "..";
    noClasses()
        .that(resideInAPackage(itself))
        .should()
        .dependOnClassesThat(
            resideInAPackage("io.troupe..")
                .and(resideOutsideOfPackages(itself))
                .and(resideOutsideOfPackages(COMMON)))
        .check(TROUPE);
  }

  @Test
  void only_the_edges_see_mesos_types() {
    noClasses()
        .that(
            resideInAPackage("io.troupe..")
                .and(
                    resideOutsideOfPackages(
                        "io.troupe.mesos..",
                        "io.troupe.scheduler.mesos..",
                        "io.troupe.executor.mesos..",
                        "io.troupe.local..")))
        .should()
        .dependOnClassesThat(resideInAPackage("org.apache.mesos.."))
        .check(TROUPE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"io.troupe.scheduler.offers", "io.troupe.scheduler.scaling"})
  void pure_packages_see_only_the_model_and_the_language(String pure) {
    noClasses()
        .that(resideInAPackage(pure))
        .should()
        .dependOnClassesThat(
            resideOutsideOfPackages(pure, COMMON_MODEL, "java..", "org.jspecify.."))
        .allowEmptyShould(true)
        .check(TROUPE);
  }

  @Test
  void the_command_line_is_a_client_and_starts_no_actors() {
    noClasses()
        .that(resideInAPackage("io.troupe.scheduler.cli.."))
        .should()
        .dependOnClassesThat(resideInAnyPackage("akka..", "scala..", "org.apache.mesos.."))
        .check(TROUPE);
  }

  @Test
  void the_java_client_needs_the_language_and_jackson_alone() {
    noClasses()
        .that(resideInAPackage("io.troupe.client.."))
        .should()
        .dependOnClassesThat(
            resideOutsideOfPackages(
                "io.troupe.client..", "java..", "com.fasterxml.jackson..", "org.jspecify.."))
        .check(TROUPE);
  }
}
